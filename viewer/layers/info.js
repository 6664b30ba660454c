/** The dialog about a layer: metadata, and addresses for other programs. */
import { fetchLayer, isStatic, rootUrl } from "../base/api.js";
import { openDialog } from "../base/dialog.js";
import { make, makeIconButton } from "../base/elements.js";
import { changeIcon } from "../base/icons.js";
import { withoutKey } from "../base/permalink.js";
import { locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { numberText } from "../base/value-scale.js";
import { extentInTime } from "../base/when.js";

/** @typedef {import("../base/api.js").Layer} Layer */
/** @typedef {import("../base/api.js").WholeLayer} WholeLayer */

const COPIED_MS = 2000;
/** Metres of a degree of latitude. */
const DEGREE_M = 111_320;

/** @param {Layer} of */
export async function openInfo(of) {
	const body = make("div", { class: "layer-info" }, make("p", { role: "status" }, text("layers.loadingInfo")));
	const stopping = new AbortController();
	const dialog = openDialog(of.title, body);
	void dialog.whenClosed.then(() => stopping.abort());
	try {
		body.replaceChildren(...describe(await fetchLayer(of.id, stopping.signal)));
	} catch (error) {
		if (stopping.signal.aborted) return;
		body.replaceChildren(
			make("p", { role: "alert" }, text("layers.infoFailed", { why: /** @type {Error} */ (error).message })),
		);
	}
}

/** @param {WholeLayer} of @returns {Node[]} */
function describe(of) {
	const facts = /** @type {[string, string][]} */ ([
		[text("info.collection"), of.collection_title ?? of.collection],
		[text("info.values"), [of.variables.join(", "), unitText(of.units)].filter(Boolean).join(" · ")],
		[text("info.dates"), extentInTime(of)],
		[text("info.resolution"), resolutionText(of)],
		[text("info.extent"), extentText(of.bbox)],
		[text("info.crs"), of.crs],
		[text("info.attribution"), of.attribution ?? ""],
		[text("info.licence"), of.license ?? ""],
		[text("info.keywords"), of.keywords.join(", ")],
	]).filter(([, told]) => told !== "");
	const list = make("dl", {}, ...facts.flatMap(([term, told]) => [make("dt", {}, term), make("dd", {}, told)]));
	const addresses = layerAddresses(of).map(([kind, href]) => makeAddress(kind, href));
	return [
		...(of.abstract ? [make("p", {}, of.abstract)] : []),
		list,
		...(addresses.length > 0
			? [make("h3", {}, text("info.addresses")), make("ul", { class: "layer-addresses" }, ...addresses)]
			: []),
	];
}

/** Returns the size of a cell as text; degrees also as metres on the ground. @param {WholeLayer} of */
function resolutionText({ crs, resolution: [across, along], size: [columns, rows], bbox }) {
	const write = (/** @type {number} */ value) => numberText(Number(value.toPrecision(3)), locale());
	const isDegrees = Math.abs(bbox[2] - bbox[0]) > 0 && across * columns <= 360.5 && /4326|CRS84|CRS:84/i.test(crs);
	const words = isDegrees
		? `${write(across)}° (${text("info.metres", { metres: write(along * DEGREE_M) })})`
		: across === along
			? text("info.metres", { metres: write(across) })
			: `${write(across)} × ${text("info.metres", { metres: write(along) })}`;
	return `${words}, ${text("info.cells", { columns, rows })}`;
}

/** @param {import("../base/permalink.js").BBox} bbox */
function extentText([west, south, east, north]) {
	const write = (/** @type {number} */ degrees, /** @type {string} */ positive, /** @type {string} */ negative) =>
		`${numberText(Number(Math.abs(degrees).toFixed(3)), locale())}° ${degrees < 0 ? negative : positive}`;
	const lat = (/** @type {number} */ degrees) => write(degrees, "N", "S");
	const lon = (/** @type {number} */ degrees) => write(degrees, "E", "W");
	return `${lat(south)} – ${lat(north)}, ${lon(west)} – ${lon(east)}`;
}

/** Makes a row with an address to open or to copy. @param {string} kind @param {string} href */
function makeAddress(kind, href) {
	const isTemplate = href.includes("{");
	const shown = isTemplate ? make("code", {}, href) : make("a", { href, target: "_blank", rel: "noopener" }, href);
	const copy = makeIconButton("copy", text("info.copy", { kind }), async () => {
		const done = window.navigator.clipboard?.writeText(href) ?? Promise.reject();
		const isDone = await done.then(
			() => true,
			() => false,
		);
		changeIcon(copy, isDone ? "check" : "warning");
		status.textContent = text(isDone ? "share.copied" : "share.copyByKey");
		if (!isDone) window.getSelection()?.selectAllChildren(shown);
		window.setTimeout(() => changeIcon(copy, "copy"), COPIED_MS);
	});
	const status = make("span", { class: "unseen", role: "status" });
	return make("li", {}, make("span", { class: "layer-address-kind" }, kind), shown, copy, status);
}

/**
 * Returns the addresses of a layer: names of the services, and addresses or templates of addresses.
 * @param {import("../base/api.js").Layer} layer
 * @returns {[kind: string, address: string][]}
 */
function layerAddresses({ id, links = [] }) {
	if (isStatic) return [];
	const hrefOf = (/** @type {string} */ rel) => links.find((link) => link.rel === rel)?.href;
	const tiles = `${rootUrl()}tiles/${encodeURIComponent(id)}/WebMercatorQuad/`;
	const all = /** @type {[string, string | undefined][]} */ ([
		["WMS", hrefOf("wms")],
		["WMTS", hrefOf("wmts")],
		["XYZ", `${tiles}{z}/{x}/{y}.png`],
		["TileJSON", `${tiles}tilejson.json`],
		["OGC API", `${rootUrl()}ogcapi/collections/${encodeURIComponent(id)}`],
		["QGIS", hrefOf("qgis")],
		["CTC1", hrefOf("cubes")],
	]);
	return all.flatMap(([kind, href]) => (href === undefined ? [] : [[kind, withoutKey(href)]]));
}
