/**
 * What lies under and over the data: land, and borders and coasts.
 *
 * @typedef {import("./basemap.js").Lines} Lines
 * @typedef {import("./basemap.js").TileCoords} TileCoords
 * @typedef {import("../vendor/leaflet.js").Map} LeafletMap
 * @typedef {(canvas: CanvasRenderingContext2D, coords: TileCoords, tileSize: number) => void} PaintTile
 */
import { fetchOwn, once } from "../base/api.js";
import { bringPart, whenFirstViewIsOver } from "../base/parts.js";
import { BACKGROUNDS, background, dismiss, isDark, notify, overlay, usualBackground } from "../base/state.js";
import { text } from "../base/text.js";
import { closeSeams } from "../ctc1/leaflet.js";
import { GridLayer, TileLayer } from "../vendor/leaflet.js";
import { batch, computed, effect, signal } from "../vendor/signals-core.js";
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
		this.paintTile(canvas, coords);
		return canvas;
	}

	/** Paints all tiles anew where they are, so that there is no frame without them. */
	repaint() {
		for (const { el, coords } of Object.values(/** @type {any} */ (this)._tiles)) this.paintTile(el, coords);
	}

	/** @param {HTMLCanvasElement} canvas @param {TileCoords} coords */
	paintTile(canvas, coords) {
		const { x: tileSize } = this.getTileSize();
		const ratio = Math.min(2, window.devicePixelRatio || 1);
		canvas.width = canvas.height = tileSize * ratio;
		const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
		context.scale(ratio, ratio);
		this.paint(context, coords, tileSize);
	}
}

/** Lines of a file, loaded once. @param {string} name @returns {() => Promise<Lines>} */
const linesOf = (name) => once(async () => decodeLines(await fetchOwn(`vendor/${name}.json`)));

const [fetchLand, fetchBorders, fetchCoarseLand] = ["land", "borders", "land-coarse"].map(linesOf);

/** Land and borders as finely as there are. @returns {Promise<[land: Lines, borders: Lines]>} */
export const fetchLines = () => Promise.all([fetchLand(), fetchBorders()]);

/** The land that is drawn: coarse until the first view is over. */
const land = signal(/** @type {Lines | null} */ (null));
/** Coasts and borders, drawn when they are fine. */
const outlines = signal(/** @type {Lines[]} */ ([]));

/** Loads what is drawn, for all maps: what is coarse at once, and all of it when it is in nobody's way any more. */
async function loadLines() {
	const coarse = fetchCoarseLand().then(
		(lines) => {
			land.value ??= lines;
		},
		// The fine land comes all the same.
		() => {},
	);
	await Promise.all([coarse, whenFirstViewIsOver()]);
	await loadFineLines();
}

async function loadFineLines() {
	try {
		const found = await fetchLines();
		dismiss("ground");
		batch(() => {
			[land.value] = found;
			outlines.value = found;
		});
	} catch {
		const retry = { label: text("action.tryAgain"), run: () => void bringPart("ground", loadFineLines) };
		notify("ground", text("map.baseMapFailed"), retry);
	}
}

let isLoading = false;

/** Lays the chosen background under a map, and borders and coasts over its data, until the map is removed. @param {LeafletMap} map */
export function showGround(map) {
	const container = map.getContainer();
	const stops = [
		effect(() => {
			container.dataset.background = ground.value;
			// The legend shows colours over the same ground.
			document.documentElement.style.setProperty("--ground", LAND_COLOURS[ground.value] ?? "#ffffff");
		}),
		showBaseMap(map),
		paintBackground(map),
		paintOverlay(map),
	];
	map.once("unload", () => {
		for (const stop of stops) stop();
	});
	if (!isLoading) void bringPart("ground", loadLines);
	isLoading = true;
}

/** The base map of the configuration that is chosen, if one is. */
const chosen = () => BACKGROUNDS.value.find(({ id }) => id === background.value)?.baseMap;

/** The base map of the configuration of which tiles have come, and that of which none can be had; by id. */
const seen = signal("");
const dead = signal("");

/** What is drawn: our own land until a chosen base map has tiles, and where it has none. */
const ground = computed(() => {
	void isDark.value;
	return chosen() && seen.value !== background.value ? usualBackground() : background.value;
});

/** Lays tiles of a base map of the configuration under a map. @param {LeafletMap} map @returns {() => void} stops it */
function showBaseMap(map) {
	return effect(() => {
		const now = chosen();
		if (!now) return;
		const tiles = new TileLayer(now.href, { maxNativeZoom: now.max_zoom, maxZoom: MAX_ZOOM, pane: "land" });
		const { id } = now;
		let [hasTiles, hasFaults] = [false, false];
		const tell = () => {
			batch(() => {
				if (hasTiles) seen.value = id;
				dead.value = hasFaults && !hasTiles ? id : "";
			});
			if (hasFaults)
				notify("base map", text(hasTiles ? "map.baseMapInPart" : "map.baseMapReplaced", { title: now.title }));
		};
		tiles.once("tileload", () => {
			hasTiles = true;
			tell();
		});
		tiles.once("tileerror", () => {
			hasFaults = true;
			tell();
		});
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
		const isOurs = (!now && background.value !== "None") || dead.value === background.value || overlay.value;
		element.textContent = [dead.value === now?.id ? null : now?.attribution, isOurs && text("map.credit")]
			.filter(Boolean)
			.join(" · ");
	});
}

/** @param {LeafletMap} map @returns {() => void} stops it */
function paintBackground(map) {
	const painted = new PaintedLayer("land", (canvas, coords, tileSize) => {
		const lines = land.peek();
		if (lines) paintLand(canvas, lines, coords, tileSize, LAND_COLOURS[ground.peek()]);
	});
	return effect(() => show(painted, map, land.value !== null && LAND_COLOURS[ground.value] !== undefined));
}

/** @param {LeafletMap} map @returns {() => void} stops it */
function paintOverlay(map) {
	const painted = new PaintedLayer("outlines", (canvas, coords, tileSize) => {
		for (const each of outlines.peek()) paintOutlines(canvas, each, coords, tileSize);
	});
	return effect(() => show(painted, map, outlines.value.length > 0 && overlay.value));
}

/** Paints a layer, anew where it is there already, or takes it away. @param {PaintedLayer} painted @param {LeafletMap} map @param {boolean} isShown */
function show(painted, map, isShown) {
	if (!isShown) painted.remove();
	else if (map.hasLayer(painted)) painted.repaint();
	else painted.addTo(map);
}
