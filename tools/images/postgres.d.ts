/** What the PostgreSQL image has besides its packages; its Containerfile has the same. */
export declare function postgresFiles(root: string): Promise<Readonly<Record<string, string>>>;
