/**
 * A drawing in progress: its vertices, the shape they make, undo and redo; pure.
 *
 * @typedef {import("./earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {"point" | "rectangle" | "polygon" | "circle" | "measure" | "profile"} Tool
 * @typedef {{ length: number, area: number, radius: number }} Measures metres and square metres on the ellipsoid; 0 if
 *   undefined
 */
import { PLACE_DIGITS } from "../../base/permalink.js";
import { destinationOf, distance, lineLength } from "./earth.js";
import { areaOf, closeRing, tidyPolygon, toFirstTurn } from "./geometry.js";
import { ringArea } from "./ring-area.js";

/** Number of vertices that complete a drawing; other tools accept any number. @type {Partial<Record<Tool, number>>} */
const ENOUGH = { point: 1, rectangle: 2, circle: 2 };
/** Minimum number of vertices. @type {Record<Tool, number>} */
const LEAST = { point: 1, rectangle: 2, circle: 2, polygon: 3, measure: 2, profile: 2 };
const CIRCLE_CORNERS = 64;
/** Decimals of degrees that links keep: about a metre. */
export const DECIMALS = 5;
const MAX_STEPS = 200;

/** @template T @typedef {{ past: T[], now: T, future: T[] }} History */

/** @template T @param {T} now @returns {History<T>} */
export const beginHistory = (now) => ({ past: [], now, future: [] });

/** @template T @param {History<T>} history @param {T} next @returns {History<T>} */
export const doStep = ({ past, now }, next) => ({ past: [...past, now].slice(-MAX_STEPS), now: next, future: [] });

/** @template T @param {History<T>} history @returns {History<T>} the same object if there is nothing to undo */
export const undoStep = (history) => {
	const { past, now, future } = history;
	const before = past.at(-1);
	return before === undefined ? history : { past: past.slice(0, -1), now: before, future: [now, ...future] };
};

/** @template T @param {History<T>} history @returns {History<T>} the same object if nothing was undone */
export const redoStep = (history) => {
	const { past, now, future } = history;
	return future.length === 0 ? history : { past: [...past, now], now: future[0], future: future.slice(1) };
};

/** Whether a tool draws lines. @param {Tool} tool */
export const isLine = (tool) => tool === "measure" || tool === "profile";

/** Whether the tool needs no more corners. @param {Tool} tool @param {Position[]} corners */
export const isEnough = (tool, corners) => corners.length >= (ENOUGH[tool] ?? Number.POSITIVE_INFINITY);

/** Whether there is something to finish. @param {Tool} tool @param {Position[]} corners */
export const canFinish = (tool, corners) => corners.length >= LEAST[tool];

/**
 * Rounds a position to its stored form: a link with it selects the same cells.
 * @param {Position} position
 * @returns {Position}
 */
export const roundPosition = ([lon, lat]) => [Number(lon.toFixed(DECIMALS)), Number(lat.toFixed(DECIMALS))];

/**
 * The outline that corners make, closed; of a measuring line and of a point the positions themselves.
 * @param {Tool} tool @param {Position[]} corners @returns {Position[]}
 */
export function outlineOf(tool, corners) {
	if (tool === "polygon") return closeRing(corners);
	if (corners.length < 2 || (tool !== "rectangle" && tool !== "circle")) return corners;
	const [[lon, lat], [toLon, toLat]] = corners;
	if (tool === "circle") return circleOf(corners[0], distance(corners[0], corners[1]));
	return [
		[lon, lat],
		[toLon, lat],
		[toLon, toLat],
		[lon, toLat],
		[lon, lat],
	];
}

/** @param {Position} centre @param {number} radius metres @returns {Position[]} */
function circleOf(centre, radius) {
	const ring = Array.from({ length: CIRCLE_CORNERS }, (_, index) =>
		destinationOf(centre, (-360 * index) / CIRCLE_CORNERS, radius),
	);
	return [...ring, ring[0]];
}

/** The far end of a circle's radius, to the east. @param {Position} centre @param {number} metres */
export const radiusEnd = (centre, metres) => destinationOf(centre, 90, metres);

/**
 * Returns the drawn geometry; null if it has no area or contains a pole.
 * @param {Tool} tool @param {Position[]} corners @returns {Geometry | null}
 */
export function shapeOf(tool, corners) {
	if (!canFinish(tool, corners) || isLine(tool)) return null;
	if (tool === "point") {
		const [lon, lat] = toFirstTurn([corners])[0][0];
		return { type: "Point", coordinates: [lon, lat].map((each) => Number(each.toFixed(PLACE_DIGITS))) };
	}
	const outline = outlineOf(tool, corners).map(roundPosition);
	const isOverPole = outline.some(([lon], index) => index > 0 && Math.abs(lon - outline[index - 1][0]) > 180);
	const rings = tool === "circle" && isOverPole ? null : tidyPolygon([outline]);
	return rings && { type: "Polygon", coordinates: toFirstTurn(rings) };
}

/**
 * How long and how large it is with these corners.
 * @param {Tool} tool
 * @param {Position[]} corners
 * @returns {Measures}
 */
export function measuresOf(tool, corners) {
	if (corners.length < 2) return { length: 0, area: 0, radius: 0 };
	const radius = tool === "circle" ? distance(corners[0], corners[1]) : 0;
	const outline = outlineOf(tool, corners);
	const area = outline.length < 3 ? 0 : Math.abs(ringArea(outline));
	return { length: lineLength(outline), area, radius };
}

/** Returns the measures of an existing geometry. @param {Geometry} geometry @returns {Measures} */
export function measuresOfGeometry(geometry) {
	if (geometry.type === "Point") return { length: 0, area: 0, radius: 0 };
	const rings = geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat();
	return { length: rings.reduce((sum, ring) => sum + lineLength(ring), 0), area: areaOf(geometry), radius: 0 };
}
