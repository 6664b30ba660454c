/** Marks that the inspection tools show on the map; map/features draws them. */
import { signal } from "../vendor/signals-core.js";

/** @typedef {import("../base/permalink.js").Point} Point */

/** The point on the map for the pointer's position in a drawing. */
export const marked = signal(/** @type {Point | null} */ (null));
/** Cuts and bbox of the cube in degrees, which may exceed 180; null while it is not shown. */
export const cube = signal(
	/** @type {{ west: number, south: number, east: number, north: number, lon: number, lat: number } | null} */ (null),
);
