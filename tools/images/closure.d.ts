/** The workspace folders that a component runs with: itself, and what it depends on, directly or not. */
export declare function closureOf(root: string, component: string): Promise<readonly string[]>;
