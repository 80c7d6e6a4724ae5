import { createRequire } from 'node:module';
import type { LoadedPolicy } from '@open-policy-agent/opa-wasm';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Bundle, ENTRYPOINT } from './bundle.ts';
import { PolicyError } from './errors.ts';

// The package's ES module leaves out what its CommonJS one and its types have.
const opaWasm: typeof import('@open-policy-agent/opa-wasm') = createRequire(import.meta.url)(
  '@open-policy-agent/opa-wasm',
);

const Reason = Type.Object({
  code: Type.String(),
  message: Type.String(),
  image: Type.Optional(Type.String()),
});
const PatchOperation = Type.Object({
  op: Type.Enum(['add', 'remove', 'replace', 'move', 'copy', 'test']),
  path: Type.String(),
  from: Type.Optional(Type.String()),
  value: Type.Optional(Type.Unknown()),
});
const Judgement = Type.Object({
  deny: Type.Array(Reason),
  warn: Type.Array(Reason),
  patch: Type.Optional(Type.Array(PatchOperation)),
});

/** Why an object is denied or warned of, in the policy's words. */
export type Reason = Static<typeof Reason>;
export type PatchOperation = Static<typeof PatchOperation>;
/** What a policy says of a request, before the namespace's mode is applied. */
export type Judgement = Static<typeof Judgement>;

const judgements = Compile(Type.Tuple([Type.Object({ result: Judgement })]));

/** WebAssembly counts memory in pages of 64 KiB; this is what `opa build` gives a program to start with. */
const INITIAL_MEMORY_PAGES = 5;
/** A review of 7 MiB takes about 100 MB inside the program; beyond this the evaluation fails instead of the process. */
const MAX_MEMORY_PAGES = 4096;
/** Memory of a program never shrinks, so after an unusually large review it starts anew. */
const RELOAD_ABOVE_BYTES = 32 * 1024 * 1024;

/** A loaded policy bundle. Evaluation is synchronous and keeps no state from one request to the next. */
export class Policy {
  readonly #module: WebAssembly.Module;
  readonly #data: object;
  #program: LoadedPolicy;

  private constructor(module: WebAssembly.Module, data: object) {
    this.#module = module;
    this.#data = data;
    this.#program = instantiate(module, data);
  }

  /** Compiles a bundle's program. Throws PolicyError `bundle_invalid`. */
  static async load(bundle: Bundle): Promise<Policy> {
    let policy: Policy;
    try {
      policy = new Policy(await WebAssembly.compile(new Uint8Array(bundle.program)), bundle.data);
    } catch (cause) {
      throw new PolicyError('bundle_invalid', 'policy.wasm of the bundle is not an OPA program', { cause });
    }
    if (!Object.hasOwn(policy.#program.entrypoints, ENTRYPOINT)) {
      throw new PolicyError('bundle_invalid', `the bundle's program does not answer ${ENTRYPOINT}`, {
        hint: `Build it with: opa build -t wasm -e ${ENTRYPOINT} FOLDER`,
      });
    }
    return policy;
  }

  /** What the policy says of an input document, given as JSON. Throws PolicyError `policy_failed`. */
  judge(input: string): Judgement {
    let answer: unknown;
    try {
      answer = this.#program.evaluate(toArrayBuffer(input), ENTRYPOINT);
    } catch (cause) {
      this.#program = instantiate(this.#module, this.#data);
      throw new PolicyError('policy_failed', 'the policy could not be evaluated', { cause });
    }
    if (this.#program.mem.buffer.byteLength > RELOAD_ABOVE_BYTES) {
      this.#program = instantiate(this.#module, this.#data);
    }
    if (!judgements.Check(answer)) {
      const problem = judgements.Errors(answer)[0];
      throw new PolicyError(
        'policy_failed',
        `the policy's answer is not a decision: ${problem?.instancePath} ${problem?.message}`,
      );
    }
    return answer[0].result;
  }
}

function instantiate(module: WebAssembly.Module, data: object): LoadedPolicy {
  const program = opaWasm.loadPolicySync(module, {
    initial: INITIAL_MEMORY_PAGES,
    maximum: MAX_MEMORY_PAGES,
  });
  program.setData(data);
  return program;
}

function toArrayBuffer(text: string): ArrayBuffer {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
