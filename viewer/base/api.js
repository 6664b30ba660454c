/**
 * Requests to the server; no other module fetches. Paths are relative to the page, because the server may be below a
 * path prefix.
 *
 * @typedef {import("./permalink.js").BBox} BBox
 * @typedef {import("./permalink.js").Point} Point
 * @typedef {import("./state.js").Colouring} Colouring
 * @typedef {import("./api-types.js").BaseMap} BaseMap
 * @typedef {import("./api-types.js").ViewerConfig} ViewerConfig
 * @typedef {import("./api-types.js").Geocoder} Geocoder `{query}` in its address stands for the search words
 * @typedef {import("./api-types.js").Session} Session
 * @typedef {{ rel: string, href: string, type?: string, title?: string }} LayerLink
 * @typedef {Omit<import("./api-types.js").Layer, "links"> & {
 *   links?: LayerLink[], collection_title?: string, masked?: string,
 * }} Layer `masked` is the id of the masked layer if it is shown; published files may lack links
 * @typedef {Layer & import("./api-types.js").WholeLayer} WholeLayer
 * @typedef {import("./api-types.js").Ramp} Ramp
 * @typedef {import("./api-types.js").Times} TimesPage
 * @typedef {import("./api-types.js").TileJson} TileJson
 * @typedef {import("./api-types.js").Legend} Legend
 * @typedef {import("./api-types.js").PointSeries} Series
 * @typedef {import("./api-types.js").Analysis} Analysis
 * @typedef {import("./api-types.js").AreaFeature & { series: Record<string, (number | null)[]> }} FeatureSeries of an
 *   area or a point, by reducer; only `histogramsOf` reads histograms, which have a list of numbers for each time
 * @typedef {Omit<import("./api-types.js").AreaSeries, "features"> & { features: FeatureSeries[] }} FeaturesSeries
 * @typedef {import("./state.js").Geometry} Geometry
 * @typedef {Omit<import("./api-types.js").PlaceSet, "links"> & { maxzoom?: number }} PlaceSet `maxzoom` is the finest
 *   zoom level of its tiles, if these are files
 * @typedef {Pick<import("./api-types.js").PlaceValues, "times" | "offset" | "total" | "ids" | "values">} PlaceValues
 * @typedef {Record<string, string | number | null>} Parameters
 * @typedef {import("./api-types.js").ItemPage} ItemPage
 */
import { knownWord, language, text } from "./text.js";

/** Maximum length of the return address of a sign-in; a longer one is dropped. */
const MAX_RETURN = 2500;
const ROOT = new URL("../", document.baseURI);
const MATRIX_SET = "WebMercatorQuad";
/** Whether the page was written by `chronotile publish --viewer`: there is no server, and answers are files. */
export const isStatic = "static" in (document.documentElement?.dataset ?? {});
/** Parameters that distinguish published answers of one path. */
const TOLD = ["format", "layer", "style", "ramp", "anomaly"];
/** Paths that have answers without a server. */
const PUBLISHED = /^(layers|places|ramps|tiles|viewer)\b|\.json$/;
/** Maximum number of places in one answer. */
const MAX_PLACE_NAMES = 10_000;

/** A question that the server did not answer, and why, in words for people. */
export class Problem extends Error {
	/**
	 * @param {string} message
	 * @param {number} [status] 0 if there was no answer
	 * @param {{ name: string, allowed: number }} [limit] of the server, if one was exceeded
	 */
	constructor(message, status = 0, limit) {
		super(message);
		this.status = status;
		this.limit = limit;
	}
}

/** @param {Response} response @returns {Promise<Problem>} */
async function readProblem(response) {
	const body = await response.json().catch(() => null);
	const detail = body?.detail ?? body?.title;
	return new Problem(
		typeof detail === "string"
			? text("error.serverSays", { why: detail })
			: text("error.status", { status: response.status }),
		response.status,
		typeof body?.limit === "string" ? { name: body.limit, allowed: Number(body.allowed) } : undefined,
	);
}

/**
 * @param {URL | string} url
 * @param {AbortSignal} signal
 * @param {unknown} [body] a Blob is posted unchanged, anything else as JSON
 * @returns {Promise<Response>}
 */
async function ask(url, signal, body) {
	if (needsServer(String(url), body)) throw new Problem(text("error.needsServer"));
	const isFile = body instanceof Blob;
	const posted = body === undefined ? {} : { method: "POST", body: isFile ? body : JSON.stringify(body) };
	const type = isFile ? body.type : "application/json";
	const headers = new Headers(body === undefined ? {} : { "Content-Type": type });
	// Browsers send their own language by default; in that language the server has preloaded answers for the page.
	if (window.navigator.language?.split("-")[0] !== language()) headers.set("Accept-Language", language());
	const answer = await fetch(url, { ...posted, headers, signal }).catch((error) => {
		throw signal.aborted ? error : new Problem(text("error.unreachable"));
	});
	if (!answer.ok) throw await readProblem(answer);
	return answer;
}

/**
 * @param {URL | string} url
 * @param {AbortSignal} signal
 * @param {unknown} [body] posted as JSON
 * @returns {Promise<any>}
 */
async function askJson(url, signal, body) {
	const answer = await ask(url, signal, body);
	return answer.json().catch((error) => {
		throw signal.aborted ? error : new Problem(text("error.unreadable"));
	});
}

/** @param {string} url @param {unknown} [body] */
const needsServer = (url, body) =>
	isStatic && url.startsWith(ROOT.href) && (body !== undefined || !PUBLISHED.test(url.slice(ROOT.href.length)));

/**
 * The file that has the answer to a question, as the server's `publish` names it.
 * @param {string} path
 * @param {Parameters} parameters
 */
export function fileOf(path, parameters) {
	if (path.endsWith(".mvt")) return path;
	const told = TOLD.flatMap((name) => parameters[name] || []).map((value) => encodeURIComponent(value));
	// Elsewhere `.json` is of a name: `layers/a.json` is the layer `a.json`.
	return `${[path.replace(/^((?:tiles|viewer)\/.*)\.json$/, "$1"), ...told].join("/")}.json`;
}

/** @param {string} path @param {Parameters} [parameters] null and empty ones are omitted */
function urlOf(path, parameters = {}) {
	if (isStatic && PUBLISHED.test(path)) return new URL(fileOf(path, parameters), ROOT);
	const url = new URL(path, ROOT);
	for (const [key, value] of Object.entries(parameters)) {
		if (value !== null && value !== "") url.searchParams.set(key, String(value));
	}
	return url;
}

/** Returns the id for requests of a layer. @param {Layer} layer */
export const nameOf = ({ id, masked }) => masked ?? id;

/** All layers, each with the title of its collection. @param {AbortSignal} signal @returns {Promise<Layer[]>} */
export async function fetchLayers(signal) {
	/** @type {{ layers: Layer[], collections?: { id: string, title: string }[] }} */
	const { layers, collections = [] } = await askJson(urlOf("layers"), signal);
	const titles = new Map(collections.map(({ id, title }) => [id, title]));
	return layers.map((layer) => ({ ...layer, collection_title: titles.get(layer.collection) }));
}

/** Returns the configuration of the viewer. @param {AbortSignal} signal @returns {Promise<ViewerConfig>} */
export const fetchConfig = (signal) => askJson(urlOf("viewer/config.json"), signal);

/** Who is signed in. @param {AbortSignal} signal @returns {Promise<Session>} */
export const fetchSession = (signal) => askJson(urlOf("signin/session"), signal);

/**
 * The same session for longer, if the user may still have it.
 * @param {AbortSignal} signal
 * @returns {Promise<Session>}
 */
export const renewSession = (signal) => askJson(urlOf("signin/renew"), signal, {});

/**
 * Ends the session here; returns the address that ends the session of the provider.
 * @param {AbortSignal} signal
 * @returns {Promise<string | null>}
 */
export const endSession = async (signal) => (await askJson(urlOf("signout"), signal, {})).end_session;

/** Returns the address of the sign-in that returns to an address of the viewer. @param {string} address */
export function signInAddress(address) {
	const path = address.slice(ROOT.href.length - 1);
	return urlOf("signin", { return: path.length > MAX_RETURN ? null : path }).href;
}

/** The layer of that id or alias. @param {string} id @param {AbortSignal} signal @returns {Promise<WholeLayer>} */
export const fetchLayer = (id, signal) => askJson(urlOf(`layers/${encodeURIComponent(id)}`), signal);

/**
 * Returns all dates of a layer, the ends of their days and periods, and the valid share of each, in the whole layer or
 * in a box, page by page. The server counts shares after the first request: `pending` is the number of missing ones.
 * @param {Layer} layer @param {AbortSignal} signal @param {BBox} [bbox]
 * @returns {Promise<{ times: string[], ends: (string | null)[], validShares: (number | null)[], pending: number }>}
 */
export async function fetchTimes(layer, signal, bbox) {
	if (isStatic && bbox) throw new Problem(text("error.needsServer"));
	/** @type {Awaited<ReturnType<typeof fetchTimes>>} */
	const all = { times: [], ends: [], validShares: [], pending: 0 };
	const asked = { limit: 1000, bbox: bbox?.join(",") ?? null };
	const url = urlOf(`layers/${encodeURIComponent(nameOf(layer))}/times`, asked);
	while (true) {
		/** @type {TimesPage} */
		const page = await askJson(url, signal);
		all.times.push(...page.times);
		all.ends.push(...page.ends);
		all.validShares.push(...page.valid_shares);
		all.pending += page.valid_shares_pending ?? 0;
		if (page.next === null || page.times.length === 0) return all;
		// Only the query of the link is used: behind a proxy its host may be unreachable.
		url.search = new URL(page.next, url).search;
	}
}

/**
 * @param {Layer} layer
 * @param {string} style
 * @param {string | null} datetime
 * @param {AbortSignal} signal
 * @returns {Promise<TileJson>}
 */
export const fetchTileJson = (layer, style, datetime, signal) =>
	askJson(urlOf(`tiles/${encodeURIComponent(nameOf(layer))}/${MATRIX_SET}/tilejson.json`, { style, datetime }), signal);

/** The parameters for the method of a period. @param {import("./state.js").Periods} [periods] */
export const periodParameters = (periods) => ({
	reducer: periods?.method === "max" || periods?.method === "median" ? periods.method : null,
	anomaly: periods?.method === "anomaly" ? "abs" : null,
});

/**
 * URL template of the pictures of a layer at one instant or of one period.
 * @param {Layer} layer @param {string} style @param {string | null} datetime @param {Colouring} colouring
 * @param {import("./state.js").Periods} [periods]
 */
export function tileTemplate(layer, style, datetime, { range, ramp, isReversed, isLog }, periods) {
	const { href, search } = urlOf(`tiles/${encodeURIComponent(nameOf(layer))}/${MATRIX_SET}/`, {
		datetime,
		...periodParameters(periods),
		style,
		ramp,
		range: range?.join(",") ?? null,
		reversed: isReversed ? "true" : null,
		logarithmic: isLog ? "true" : null,
		rev: layer.revision,
	});
	return `${href.slice(0, href.length - search.length)}{z}/{x}/{y}.png${search}`;
}

/** URL template of the cubes of a layer; of files with the dates in their names. @param {Layer} layer */
export const cubeTemplate = (layer) =>
	isStatic
		? `${urlOf(`cubes/${encodeURIComponent(layer.id)}/${layer.revision}/`).href}{z}/{x}/{y}/{datetime}.ctc`
		: `${urlOf(`cubes/${encodeURIComponent(nameOf(layer))}/${MATRIX_SET}/`).href}{z}/{x}/{y}.ctc`;

/**
 * Returns the error of the server, which an image element does not report; null if there is none or the wait is
 * aborted.
 * @param {string} url @param {AbortSignal} signal @returns {Promise<Problem | null>}
 */
export const fetchProblem = (url, signal) =>
	ask(url, signal).then(
		() => null,
		(error) => (error instanceof Problem ? error : null),
	);

/**
 * Translates the title into the language of the page, if its texts are loaded.
 * @template {{ title: string }} T
 * @param {T} named
 * @returns {T}
 */
export const inPageLanguage = (named) => ({ ...named, title: knownWord(named.title) });

/** All colours that a ramp may have. @param {AbortSignal} signal @returns {Promise<Ramp[]>} */
export const fetchRamps = async (signal) => (await askJson(urlOf("ramps"), signal)).ramps.map(inPageLanguage);

/**
 * @param {Layer} layer
 * @param {string} style
 * @param {AbortSignal} signal
 * @param {string | null} [ramp]
 * @param {string | null} [anomaly]
 * @returns {Promise<Legend>}
 */
export async function fetchLegend(layer, style, signal, ramp = null, anomaly = null) {
	const url = urlOf(`tiles/${encodeURIComponent(layer.id)}/legend.json`, { style, ramp, anomaly });
	/** @type {Legend} */
	const legend = await askJson(url, signal);
	return { ...legend, classes: legend.classes?.map((each) => ({ ...each, label: knownWord(each.label) })) };
}

/** @param {Layer} layer @param {string} kind */
const seriesPath = (layer, kind) => `timeseries/${encodeURIComponent(nameOf(layer))}/${kind}`;

/**
 * @param {Layer} layer
 * @param {Point} point
 * @param {Parameters} analysis
 * @param {AbortSignal} signal
 * @returns {Promise<Series>}
 */
export const fetchSeries = (layer, { lon, lat }, analysis, signal) =>
	askJson(urlOf(seriesPath(layer, "point"), { lon, lat, ...analysis }), signal);

/**
 * The series of several points, as `mean` of features in their order.
 * @param {Layer} layer
 * @param {Point[]} points
 * @param {AbortSignal} signal
 * @param {Parameters} [parameters] `datetime`, an analysis
 * @returns {Promise<FeaturesSeries>}
 */
export async function fetchSeriesOfPoints(layer, points, signal, parameters = {}) {
	const requestBody = { layers: [nameOf(layer)], points: points.map(({ lon, lat }) => [lon, lat]) };
	return (await askJson(urlOf("timeseries/points", parameters), signal, requestBody)).results[0];
}

/**
 * Parameters without the reducers that need an order, which directions do not have.
 * @param {Layer} layer
 * @param {Parameters} parameters
 * @returns {Parameters}
 */
function withoutOrder({ full_turn }, parameters) {
	if (full_turn === undefined || typeof parameters.reducers !== "string") return parameters;
	const reducers = parameters.reducers.split(",").filter((each) => !/^(median|min|max|p\d+)$/.test(each));
	return { ...parameters, reducers: reducers.join() || parameters.reducers };
}

/**
 * @param {Layer} layer
 * @param {Geometry} area
 * @param {Parameters} parameters `reducers`, `datetime`, an analysis
 * @param {AbortSignal} signal
 * @returns {Promise<FeaturesSeries>}
 */
export const fetchSeriesOfArea = (layer, area, parameters, signal) =>
	askJson(urlOf(seriesPath(layer, "area"), withoutOrder(layer, parameters)), signal, area);

/** @param {PlaceSet} set @param {number} [offset] */
const outlinesOf = ({ id }, offset = 0) =>
	urlOf(`places/${encodeURIComponent(id)}`, { format: "geojson", limit: 1, offset });

/**
 * Returns all places of a published set.
 * @param {PlaceSet} set
 * @param {AbortSignal} signal
 * @returns {Promise<{ geometry: Geometry }[]>}
 */
export const fetchPublishedPlaces = async (set, signal) => (await askJson(outlinesOf(set), signal)).features;

/**
 * The series of several areas, in their order.
 * @param {Layer} layer
 * @param {{ geometry: Geometry }[]} areas
 * @param {Parameters} parameters as of one
 * @param {AbortSignal} signal
 * @returns {Promise<FeaturesSeries>}
 */
export function fetchSeriesOfAreas(layer, areas, parameters, signal) {
	const features = areas.map(({ geometry }) => ({ type: "Feature", properties: {}, geometry }));
	const url = urlOf(seriesPath(layer, "areas"), withoutOrder(layer, parameters));
	return askJson(url, signal, { type: "FeatureCollection", features });
}

/**
 * The shapes of a file of geodata, in longitude and latitude.
 * @param {Blob} file
 * @returns {Promise<unknown>} GeoJSON
 */
export const fetchShapes = (file) => askJson(urlOf("places/shapes"), new AbortController().signal, file);

/** @param {AbortSignal} signal @returns {Promise<PlaceSet[]>} */
export const fetchPlaceSets = async (signal) => (await askJson(urlOf("places"), signal)).places;

/**
 * @param {PlaceSet} set
 * @param {{ x: number, y: number, z: number }} tile
 * @param {AbortSignal} signal a Mapbox vector tile; no bytes if it has no places
 */
export async function fetchPlaceTile({ id, revision }, { x, y, z }, signal) {
	const url = urlOf(`places/${encodeURIComponent(id)}/tiles/${MATRIX_SET}/${z}/${x}/${y}.mvt`, { rev: revision });
	return new Uint8Array(await (await ask(url, signal)).arrayBuffer());
}

/**
 * @param {PlaceSet} set
 * @param {Layer} layer
 * @param {string | null} datetime
 * @param {string} reducer
 * @param {AbortSignal} signal
 * @returns {Promise<PlaceValues>}
 */
export const fetchPlaceValues = ({ id }, layer, datetime, reducer, signal) =>
	askJson(urlOf(`places/${encodeURIComponent(id)}/values`, { layer: nameOf(layer), datetime, reducer }), signal);

/**
 * All places of a set, in the order of their numbers.
 * @param {PlaceSet} set
 * @param {AbortSignal} signal
 * @returns {Promise<{ id: string | number, geometry: Geometry, properties?: { label?: string } }[]>}
 */
export const fetchPlaces = async ({ id, count }, signal) =>
	(await askJson(urlOf(`places/${encodeURIComponent(id)}`, { format: "geojson", limit: count }), signal)).features;

/**
 * Outline of the place of that number in the tiles of a set.
 * @param {PlaceSet} set
 * @param {number} number
 * @param {AbortSignal} signal
 * @returns {Promise<Geometry>}
 */
export async function fetchPlace(set, number, signal) {
	const { features } = await askJson(outlinesOf(set, number), signal);
	return features[isStatic ? number : 0].geometry;
}

/**
 * Returns a page of items of the catalogue. `cursor` selects the next page, null after the last one; `ownAddress`
 * converts an address in an item into one that the viewer can reach, or null if it is not on this server.
 * @param {Parameters} asked parameters of the STAC API @param {AbortSignal} signal
 */
export async function fetchItems(asked, signal) {
	/** @type {ItemPage} */
	const page = await askJson(urlOf("stac/search", asked), signal);
	const { features = [], links = [], numberMatched: matched = null, unanswered = [] } = page;
	const hrefOf = (/** @type {string} */ rel) => links.find((link) => link.rel === rel)?.href;
	const next = hrefOf("next");
	// Behind a proxy the server may use another name for itself than this page does.
	const theirs = (hrefOf("self") ?? ROOT.href).replace(/stac\/search(\?.*)?$/, "");
	return {
		features,
		matched,
		unanswered,
		cursor: next ? new URL(next, ROOT).searchParams.get("cursor") : null,
		ownAddress: (/** @type {string} */ href) =>
			href.startsWith(theirs) ? new URL(`./${href.slice(theirs.length)}`, ROOT).href : null,
	};
}

/** The files of an item. @param {string} collection @param {string} id */
export const productAddress = (collection, id) =>
	urlOf(`products/${encodeURIComponent(collection)}/${encodeURIComponent(id)}`).href;

/** Returns the Atom feed of new items of a collection. @param {string} collection */
export const feedAddress = (collection) => urlOf(`stac/collections/${encodeURIComponent(collection)}/feed.atom`).href;

/** A file of the viewer itself. @param {string} path @returns {Promise<any>} */
export const fetchOwn = (path) => askJson(new URL(`../${path}`, import.meta.url), new AbortController().signal);

/**
 * Returns a function that requests once and caches the answer; after a failure the next call tries again.
 * @template T
 * @param {() => Promise<T>} ask
 * @returns {() => Promise<T>}
 */
export function once(ask) {
	/** @type {Promise<T> | null} */
	let answer = null;
	return () => {
		if (answer) return answer;
		answer = ask();
		answer.catch(() => {
			answer = null;
		});
		return answer;
	};
}

/** @type {Map<string, () => Promise<any>>} */
const data = new Map();

/**
 * Returns a file made by tools/viewer_data; requested once.
 * @param {string} path below data/
 * @returns {Promise<any>}
 */
export function fetchData(path) {
	const ask = data.get(path) ?? once(() => fetchOwn(`data/${path}`));
	data.set(path, ask);
	return ask();
}

/**
 * Returns the finest zoom level of a `.pmtiles` file, from a byte of its header.
 * @param {string} address
 * @param {AbortSignal} signal
 */
export async function fetchFinestZoom(address, signal) {
	const answer = await fetch(address, { headers: { Range: "bytes=0-126" }, signal });
	if (!answer.ok) throw await readProblem(answer);
	return new Uint8Array(await answer.arrayBuffer())[101];
}

/**
 * Returns the results of a configured geocoder: an array from Nominatim, or GeoJSON from Photon and Pelias.
 * @param {string} href
 * @param {string} query
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
export const askGeocoder = (href, query, signal) =>
	askJson(new URL(href.replace("{query}", encodeURIComponent(query)), ROOT), signal);

/** A story, as a file of this server has it. @param {string} path @returns {Promise<string>} */
export const fetchStory = async (path) => (await ask(new URL(path, ROOT), new AbortController().signal)).text();

/**
 * Names of the places of a set, as many as a page has.
 * @param {PlaceSet} set
 * @param {AbortSignal} signal
 * @returns {Promise<{ number: number, id: string, label?: string }[]>}
 */
export const fetchPlaceNames = async ({ id }, signal) =>
	(await askJson(urlOf(`places/${encodeURIComponent(id)}`, { limit: MAX_PLACE_NAMES }), signal)).places;

/** Returns the address of the server, for other programs. */
export const rootUrl = () => ROOT.href;

/**
 * Returns the reason why the server would refuse a file; null if it would not. For a plain HEAD request the server
 * would
 * make the file to determine its size; with `If-None-Match: *` it answers 304 and reads nothing.
 * @param {string} address @param {AbortSignal} signal
 */
export async function fetchRefusal(address, signal) {
	if (needsServer(address)) return new Problem(text("error.needsServer"));
	const headers = { "If-None-Match": "*" };
	// Files in a bucket are sent from there; a redirect by the server is sufficient.
	const answer = await fetch(address, { method: "HEAD", headers, signal, redirect: "manual" }).catch(() => null);
	if (answer?.ok || answer?.status === 304 || answer?.type === "opaqueredirect") return null;
	return await fetchProblem(address, signal);
}
