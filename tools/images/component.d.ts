/** Puts the files that a component runs from into `folder`/app. */
export declare function copySources(root: string, component: string, folder: string): Promise<void>;
/**
 * The folder with app/node_modules of a component: what it depends on, as the lock file has it, and nothing else.
 * Install scripts do not run.
 */
export declare function installDependencies(root: string, component: string): Promise<string>;
