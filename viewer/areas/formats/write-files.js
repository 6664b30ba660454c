/**
 * Areas as files; pure.
 *
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {{ id: string, name: string, geometry: Geometry }} Named
 */

/** A FeatureCollection (RFC 7946) with the name of each, a line a feature. @param {Named[]} areas */
export function formatGeoJson(areas) {
	const features = areas.map(({ id, name, geometry }) =>
		JSON.stringify({ type: "Feature", id, properties: { name }, geometry }),
	);
	return `{"type":"FeatureCollection","features":[\n${features.join(",\n")}\n]}\n`;
}

/** A name that all file systems take. @param {string} name @param {string} ending */
export const fileName = (name, ending) =>
	`${
		name
			.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")
			.replaceAll(/^[-.]+|[-.]+$/g, "")
			.slice(0, 60) || "areas"
	}.${ending}`;
