/**
 * Areas as files; pure.
 *
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {{ id: string, name: string, geometry: Geometry }} Named
 */

import { areaOf, selfCrossing } from "../shapes/geometry.js";
import { formatCsv } from "./csv.js";
import { formatWkt } from "./wkt.js";

/** A FeatureCollection (RFC 7946) with the name of each, a line a feature. @param {Named[]} areas */
export function formatGeoJson(areas) {
	const features = areas.map(({ id, name, geometry }) =>
		JSON.stringify({ type: "Feature", id, properties: { name }, geometry }),
	);
	return `{"type":"FeatureCollection","features":[\n${features.join(",\n")}\n]}\n`;
}

/** A table with the columns id, name, geometry (as well-known text) and hectares, which points and outlines that cross themselves have none of. @param {Named[]} areas */
export const formatTable = (areas) =>
	formatCsv([
		["id", "name", "geometry", "hectares"],
		...areas.map(({ id, name, geometry }) => {
			const hasSize = geometry.type !== "Point" && selfCrossing(geometry) === null;
			const hectares = hasSize ? Number((areaOf(geometry) / 1e4).toFixed(4)) : null;
			return [id, name, formatWkt(geometry), hectares];
		}),
	]);

/** A name that all file systems take. @param {string} name @param {string} ending */
export const fileName = (name, ending) =>
	`${
		name
			.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")
			.replaceAll(/^[-.]+|[-.]+$/g, "")
			.slice(0, 60) || "areas"
	}.${ending}`;
