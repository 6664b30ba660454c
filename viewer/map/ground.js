/**
 * What lies under and over the data: land, and borders and coasts.
 *
 * @typedef {import("./basemap.js").Lines} Lines
 * @typedef {import("./basemap.js").TileCoords} TileCoords
 * @typedef {import("../vendor/leaflet.js").Map} LeafletMap
 * @typedef {(canvas: CanvasRenderingContext2D, coords: TileCoords, tileSize: number) => void} PaintTile
 */
import { fetchOwn } from "../api.js";
import { closeSeams } from "../ctc1/leaflet.js";
import { BACKGROUNDS, background, dismiss, notify, overlay } from "../state.js";
import { text } from "../text.js";
import { GridLayer, TileLayer } from "../vendor/leaflet.js";
import { effect } from "../vendor/signals-core.js";
import { decodeLines, LAND_COLOURS, paintLand, paintOutlines } from "./basemap.js";

/** Beyond the last zoom of its tiles a base map is enlarged. */
const MAX_ZOOM = 24;

/** Tiles that the browser paints. */
class PaintedLayer extends GridLayer {
	/** @param {string} pane @param {PaintTile} paint */
	constructor(pane, paint) {
		super({ pane, updateWhenZooming: false });
		this.paint = paint;
		this.on("tileloadstart", ({ tile }) => closeSeams(tile, this.getTileSize().x));
	}

	/** @param {TileCoords} coords */
	createTile(coords) {
		const canvas = document.createElement("canvas");
		const { x: tileSize } = this.getTileSize();
		const ratio = Math.min(2, window.devicePixelRatio || 1);
		canvas.width = canvas.height = tileSize * ratio;
		const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
		context.scale(ratio, ratio);
		this.paint(context, coords, tileSize);
		return canvas;
	}
}

/** @type {Promise<[land: Lines, borders: Lines]> | null} */
let lines = null;

/** Land and borders, loaded once. @returns {Promise<[land: Lines, borders: Lines]>} */
export function fetchLines() {
	const { signal } = new AbortController();
	lines ??= /** @type {Promise<[Lines, Lines]>} */ (
		Promise.all(
			["vendor/land.json", "vendor/borders.json"].map(async (path) => decodeLines(await fetchOwn(path, signal))),
		)
	);
	return lines;
}

/** Lays the chosen background under a map, and borders and coasts over its data, until the map is removed. @param {LeafletMap} map */
export async function showGround(map) {
	const container = map.getContainer();
	let isRemoved = false;
	const stops = [
		effect(() => {
			container.dataset.background = background.value;
			// The legend shows colours over the same ground.
			document.documentElement.style.setProperty("--ground", LAND_COLOURS[background.value] ?? "#ffffff");
		}),
		showBaseMap(map),
	];
	map.once("unload", () => {
		isRemoved = true;
		for (const stop of stops) stop();
	});
	try {
		const [land, borders] = await fetchLines();
		if (!isRemoved) stops.push(paintBackground(map, land), paintOverlay(map, [land, borders]));
	} catch {
		lines = null;
		notify("base map", text("map.baseMapFailed"));
	}
}

/** The base map of the configuration that is chosen, if one is. */
const chosen = () => BACKGROUNDS.value.find(({ id }) => id === background.value)?.baseMap;

/** Lays tiles of a base map of the configuration under a map. @param {LeafletMap} map @returns {() => void} stops it */
function showBaseMap(map) {
	return effect(() => {
		const now = chosen();
		if (!now) return;
		const tiles = new TileLayer(now.href, { maxNativeZoom: now.max_zoom, maxZoom: MAX_ZOOM, pane: "land" });
		tiles.once("tileerror", () => notify("base map", text("map.baseMapFailed")));
		tiles.addTo(map);
		return () => {
			tiles.remove();
			dismiss("base map");
		};
	});
}

/** Names whose ground is shown. @param {HTMLElement} element */
export function creditGround(element) {
	effect(() => {
		const now = chosen();
		const isOurs = (!now && background.value !== "None") || overlay.value;
		element.textContent = [now?.attribution, isOurs && text("map.credit")].filter(Boolean).join(" · ");
	});
}

/** @param {LeafletMap} map @param {Lines} land @returns {() => void} stops it */
function paintBackground(map, land) {
	const painted = new PaintedLayer("land", (canvas, coords, tileSize) =>
		paintLand(canvas, land, coords, tileSize, LAND_COLOURS[background.peek()]),
	);
	return effect(() => {
		if (LAND_COLOURS[background.value]) painted.addTo(map).redraw();
		else painted.remove();
	});
}

/** @param {LeafletMap} map @param {Lines[]} outlines @returns {() => void} stops it */
function paintOverlay(map, outlines) {
	const painted = new PaintedLayer("outlines", (canvas, coords, tileSize) => {
		for (const each of outlines) paintOutlines(canvas, each, coords, tileSize);
	});
	return effect(() => {
		if (overlay.value) painted.addTo(map);
		else painted.remove();
	});
}
