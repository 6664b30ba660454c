/**
 * Reads polygons from Mapbox vector tiles (specification 2.1); pure. Points and lines are skipped.
 *
 * @typedef {{ id: number, properties: Record<string, string | number | boolean>, rings: Int32Array[] }} TileFeature
 *   rings as x, y, x, y …, without the repeated first position
 * @typedef {{ name: string, extent: number, features: TileFeature[] }} TileLayer `extent` units along each side of
 *   the tile
 */
import { PbfReader } from "../../vendor/pbf.js";
import { VectorTile } from "../../vendor/vector-tile.js";

const POLYGON = 3;

/** A tile that violates the specification. */
export class TileError extends Error {}

/** The layers of a tile that have features. @param {Uint8Array} bytes @returns {TileLayer[]} @throws {TileError} */
export function decodeTile(bytes) {
	const reader = new PbfReader(bytes);
	try {
		const { layers } = new VectorTile(reader);
		// The library checks no length: it reads beyond the end of a tile that breaks off.
		if (reader.pos !== bytes.length) throw new RangeError("it breaks off");
		return Object.values(layers).map(readLayer);
	} catch (error) {
		throw new TileError(`the tile cannot be read: ${/** @type {Error} */ (error).message}`);
	}
}

/** @param {import("@mapbox/vector-tile").VectorTileLayer} layer @returns {TileLayer} */
function readLayer(layer) {
	const { name, extent, length } = layer;
	const polygons = Array.from({ length }, (_, index) => layer.feature(index)).filter(({ type }) => type === POLYGON);
	return { name, extent, features: polygons.map(readPolygon) };
}

/** @param {import("@mapbox/vector-tile").VectorTileFeature} feature @returns {TileFeature} */
function readPolygon(feature) {
	const rings = feature.loadGeometry().map((ring) => Int32Array.from(ring.slice(0, -1).flatMap(({ x, y }) => [x, y])));
	return { id: feature.id ?? 0, properties: { ...feature.properties }, rings };
}
