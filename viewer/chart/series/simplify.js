/**
 * Simplifies outlines for servers with a limit of vertices (Visvalingam and Whyatt 1993: the vertex that spans the
 * smallest area with its neighbours is removed first); pure.
 *
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {number[]} Position longitude and latitude
 */

/** A ring is closed and has an inside. */
const LEAST_CORNERS = 4;

/** Twice the area of a triangle. @param {Position} one @param {Position} two @param {Position} three */
const spanOf = ([x, y], [x2, y2], [x3, y3]) => Math.abs((x2 - x) * (y3 - y) - (x3 - x) * (y2 - y));

/**
 * Returns the area below which vertices are removed, so that about `count` remain.
 * @param {Position[][]} rings
 * @param {number} count
 */
function thresholdOf(rings, count) {
	const large = rings.filter(({ length }) => length > LEAST_CORNERS);
	const spans = large.flatMap((ring) =>
		ring.slice(1, -1).map((corner, index) => spanOf(ring[index], corner, ring[index + 2])),
	);
	const fixed = rings.reduce((sum, { length }) => sum + (length > LEAST_CORNERS ? 2 : length), 0);
	return spans.sort((one, other) => other - one)[Math.max(0, count - fixed)] ?? -1;
}

/**
 * Removes vertices in one pass, never two neighbours, so that slow curves are preserved.
 * @param {Position[]} ring
 * @param {number} threshold
 */
function thin(ring, threshold) {
	if (ring.length <= LEAST_CORNERS) return ring;
	/** @type {Position[]} */
	const kept = [ring[0]];
	let left = ring.length;
	for (let at = 1; at < ring.length - 1; at += 1) {
		const isKept = left <= LEAST_CORNERS || spanOf(kept[kept.length - 1], ring[at], ring[at + 1]) > threshold;
		if (isKept) kept.push(ring[at]);
		else left -= 1;
		if (!isKept && at + 1 < ring.length - 1) kept.push(ring[++at]);
	}
	return [...kept, ring[ring.length - 1]];
}

/**
 * Returns a polygon with at most `most` vertices if its rings allow that; points are not changed.
 * @param {Geometry} geometry @param {number} most @returns {Geometry}
 */
export function simplify(geometry, most) {
	if (geometry.type === "Point") return geometry;
	let polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
	for (let before = Number.POSITIVE_INFINITY; ; ) {
		const rings = polygons.flat();
		const count = rings.reduce((sum, ring) => sum + ring.length, 0);
		if (count <= most || count === before) break;
		before = count;
		const threshold = thresholdOf(rings, most);
		polygons = polygons.map((polygon) => polygon.map((ring) => thin(ring, threshold)));
	}
	return geometry.type === "Polygon"
		? { type: "Polygon", coordinates: polygons[0] }
		: { type: "MultiPolygon", coordinates: polygons };
}
