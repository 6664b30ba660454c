/**
 * A layer of a chronotile server: its metadata, dates, colours, cube tiles and time series.
 *
 * @typedef {import("../../../viewer/ctc1/decode.js").Header} Header
 * @typedef {import("../../../viewer/ctc1/loader.js").Tile} Tile
 * @typedef {import("../../../viewer/ctc1/source.js").Sample} Sample
 * @typedef {{ lon: number, lat: number }} Place in degrees
 * @typedef {{
 *   layer: string, units: string | null, point: [number, number],
 *   times: (string | null)[], values: (number | null)[], reasons: (string | null)[],
 * }} Series `reasons` explain missing values: `nodata`, `masked` or the name of a flag such as `cloud`
 * @typedef {import("../../../viewer/base/api-types.js").Legend} Legend the content of `legend.json`
 * @typedef {{ value: number | null, isApproximate: boolean }} Reading `value` is null if it is missing;
 *   `isApproximate` is true if it is not exactly the cell's, such as a mean of several cells below native zoom
 * @typedef {import("./credential.js").Token} Token
 * @typedef {{ style?: string, loader?: CubeLoader, signal?: AbortSignal, token?: Token }} OpenOptions `style` is a
 *   style of the layer
 * @typedef {{
 *   id: string, title: string, units: string | null, bbox: [number, number, number, number],
 *   attribution: string | null, revision: string, times: { default: string | null }, links: { rel: string }[],
 * }} Metadata
 */
import { makeTable } from "../../../viewer/base/colours.js";
import { resolveDate } from "../../../viewer/base/dates.js";
import { CubeSource } from "../../../viewer/ctc1/source.js";
import { boxOfTile, covers } from "../../../viewer/map/extent.js";
import { Credential } from "./credential.js";
import { CubeLoader } from "./cube-loader.js";
import { fetchJson, urlOf } from "./request.js";
import { fetchTimes, instantsOf } from "./times.js";

export { RequestError } from "./request.js";

const MATRIX_SET = "WebMercatorQuad";
const AS_STYLED = { range: null, ramp: null, isReversed: false, isLog: false };

/** @type {CubeLoader | null} */
let shared = null;

/** One loader for all layers of a page, so that its limits apply to their sum. */
function sharedLoader() {
	shared ??= new CubeLoader();
	return shared;
}

/** Escapes text: map libraries insert attributions as HTML. @param {string} text */
const escapeHtml = (text) =>
	text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign] ?? sign);

/** An open layer, made by `openLayer`. */
export class Layer {
	#credential;

	/**
	 * @param {string} server @param {Metadata} metadata
	 * @param
	 *   {{ dates: import("./times.js").Times, legend: Legend, zooms: { minzoom: number, maxzoom: number },
	 *   loader: CubeLoader, credential: Credential | null }}
	 *   found
	 */
	constructor(server, metadata, { dates, legend, zooms, loader, credential }) {
		const { times, ends } = dates;
		/** Address of the server. */
		this.server = server;
		this.id = metadata.id;
		this.title = metadata.title;
		this.units = metadata.units;
		/** West, south, east and north, in degrees. */
		this.bbox = metadata.bbox;
		/** As HTML. @type {string} */
		this.attribution = escapeHtml(metadata.attribution ?? "");
		/** All dates, RFC 3339: the starts of their days and periods. */
		this.times = times;
		/** For each date the first instant after its day or period; null for an exact instant. */
		this.ends = ends;
		const found = times.indexOf(metadata.times.default ?? "");
		/** Index of the initial date: the layer's default, else the last date; 0 for a layer without time. */
		this.defaultIndex = Math.max(0, found >= 0 ? found : times.length - 1);
		/** Whether the layer has cube tiles; composites have none. */
		this.hasCubes = metadata.links.some(({ rel }) => rel === "cubes");
		this.legend = legend;
		this.minZoom = zooms.minzoom;
		this.maxZoom = zooms.maxzoom;
		this.#credential = credential;
		const tiles = urlOf(server, `cubes/${encodeURIComponent(this.id)}/${MATRIX_SET}/`).href;
		loader.sign(tiles, credential);
		this.source = new CubeSource({
			template: `${tiles}{z}/{x}/{y}.ctc`,
			times: times.length > 0 ? times : [null],
			revision: metadata.revision,
			loader,
		});
	}

	/** Credential of its requests, also used by elements with this layer. */
	get credential() {
		return this.#credential;
	}

	/** Options for `makeCubeLayer` of all three map libraries. @throws {Error} the layer has no cube tiles */
	get cubes() {
		if (!this.hasCubes) throw new Error(`layer ${this.id} has no cube tiles: show its pictures, /tiles/${this.id}`);
		return {
			source: this.source,
			tableOf: (/** @type {Header} */ header) => makeTable(this.legend, AS_STYLED, header),
			covers: (/** @type {Tile} */ tile) => covers(this.bbox, boxOfTile(tile)),
			minZoom: this.minZoom,
			maxNativeZoom: this.maxZoom,
			attribution: this.attribution,
		};
	}

	/**
	 * Index of the date for a year, month, day or instant (`2024`, `2024-06`, `2024-06-01`, `2024-06-01T10:00:00Z`):
	 * the first date that starts in it, else the date whose day or period contains it, else the nearest, which is the
	 * first or the last date. -1 for a text that is not a date, and for a layer without time.
	 * @param {string} date
	 */
	indexOf(date) {
		return resolveDate(instantsOf(this), date).index;
	}

	/**
	 * The values of a point over time.
	 * @param {Place} place
	 * @param {{ datetime?: string, signal?: AbortSignal }} [options]
	 * @returns {Promise<Series>}
	 */
	series({ lon, lat }, { datetime = "", signal } = {}) {
		return fetchJson(
			urlOf(this.server, `timeseries/${encodeURIComponent(this.id)}/point`, { lon, lat, datetime }),
			signal,
			this.#credential,
		);
	}
}

/**
 * The displayed value at a point: the value of a `sample` of a cube layer, rounded like the server's; null while it is
 * not loaded. `series` has the value of the cell.
 * @param {Sample | null} sample @returns {Reading | null}
 */
export function sampleValue(sample) {
	if (!sample || sample.isPreview) return null;
	const { cube, frame, cell } = sample;
	if (frame < 0) return { value: null, isApproximate: false };
	const number = cube.numbersAt(frame)[cell];
	return { value: cube.exactValueOf(number), isApproximate: cube.isApproximate || cube.beyond(number) !== 0 };
}

/**
 * Opens a layer of a server.
 * @param {string} server its address, such as `https://maps.example`
 * @param {string} id of the layer, or an alias
 * @param {OpenOptions} [options]
 * @returns {Promise<Layer>}
 * @throws {import("./request.js").RequestError} the server does not answer, or has no such layer or style
 */
export async function openLayer(server, id, { style = "", loader = sharedLoader(), signal, token } = {}) {
	const path = encodeURIComponent(id);
	const credential = token === undefined ? null : new Credential(token, urlOf(server, "").origin);
	const [metadata, dates, legend, zooms] = await Promise.all([
		fetchJson(urlOf(server, `layers/${path}`), signal, credential),
		fetchTimes(server, id, signal, credential),
		fetchJson(urlOf(server, `tiles/${path}/legend.json`, { style }), signal, credential),
		fetchJson(urlOf(server, `tiles/${path}/${MATRIX_SET}/tilejson.json`, { style }), signal, credential),
	]);
	return new Layer(server, metadata, { dates, legend, zooms, loader, credential });
}
