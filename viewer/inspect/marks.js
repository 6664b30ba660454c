/** What the map marks of what is looked into beside it; map/features draws it. */
import { signal } from "../vendor/signals-core.js";

/** @typedef {import("../base/permalink.js").Point} Point */

/** The place that a drawing beside the map points at. */
export const marked = signal(/** @type {Point | null} */ (null));
/** Where the cube is cut, and what it reaches over: degrees that may go on beyond 180; null while it is not shown. */
export const cube = signal(
	/** @type {{ west: number, south: number, east: number, north: number, lon: number, lat: number } | null} */ (null),
);
