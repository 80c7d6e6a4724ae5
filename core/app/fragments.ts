import { Turns } from '@gatehouse/lib/turns.ts';

/**
 * Who decodes fragments. Those of a layer at the bounds take some 200 MB meanwhile, and what an image comes to as much
 * again; a core in a cluster has 1 GiB. And since decoding is not interrupted, two at a time would be no faster. Whoever
 * takes a turn has all connections to the store that it needs, lest one wait for another in a circle.
 */
export const decoding = new Turns(1);
