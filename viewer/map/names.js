/**
 * Names of towns over the data, on every map, while borders and coasts are shown too. Base maps of the configuration
 * have names already.
 *
 * @typedef {import("../vendor/leaflet.js").Map} LeafletMap
 * @typedef {import("./name-layout.js").Towns} Towns
 */
import { fetchData } from "../base/api.js";
import { make } from "../base/elements.js";
import { atEnd, eachOnce, live } from "../base/live.js";
import { BACKGROUNDS, background, isDragged, overlay, view } from "../base/state.js";
import { text } from "../base/text.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { chooseNames, readTowns } from "./name-layout.js";
import { cellsIn } from "./regions.js";

const PANE = "names";
/** Over the outlines, below marks and areas. */
const HEIGHT = "360";
/** Same font as in the style sheet. */
const FONT = "600 12px system-ui, sans-serif";
const DOT_PX = 9;
/** From this zoom on, towns of the visible regions have names too. */
const NEAR_ZOOM = 8;

const isShown = computed(
	() => overlay.value && !BACKGROUNDS.value.some(({ id, baseMap }) => id === background.value && baseMap),
);

/** Loads the names, and keeps them on the maps. @param {{ value: LeafletMap[] }} maps a signal */
export async function startNames(maps) {
	const world = await fetchData("world.json");
	const towns = signal(readTowns(world));
	let requestedCells = "";
	effect(() => {
		// No requests while time is dragged.
		if (!view.value || !isShown.value || isDragged.value) return;
		const { bbox, zoom } = view.value;
		const nameNear = async () => {
			const cells =
				zoom < NEAR_ZOOM ? [] : cellsIn([bbox], view.peek() ?? { lon: 0, lat: 0 }, await fetchData("cells.json"));
			if (cells.join() === requestedCells) return;
			requestedCells = cells.join();
			const near = await Promise.all(cells.map((cell) => fetchData(`towns/${cell}.json`)));
			if (cells.join() === requestedCells) towns.value = readTowns(world, ...near);
		};
		// The towns of the world remain if others cannot be loaded.
		nameNear().catch(() => {
			requestedCells = "";
		});
	});
	const credit = make("span", {}, text("map.namesCredit"));
	document.getElementById("ground-credit")?.after(" ", credit);
	live(() => {
		credit.hidden = !isShown.value;
		for (const map of isShown.value ? maps.value : []) nameTowns(map, towns);
	});
}

const ruler = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
ruler.font = FONT;

/** @param {string} name */
const widthOf = (name) => DOT_PX + ruler.measureText(name).width;

/** @param {LeafletMap} map @param {{ value: Towns }} towns a signal */
function nameTowns(map, towns) {
	const pane = map.getPane(PANE) ?? map.createPane(PANE);
	pane.style.zIndex = HEIGHT;
	// Hidden from screen readers, like the map: the search finds towns.
	pane.setAttribute("aria-hidden", "true");
	/** Named towns by their rank in the world. @type {Map<number, import("./name-layout.js").Named>} */
	let coming = new Map();
	// No Leaflet markers: each would be a layer of the compositor, and slow down the map.
	const markAll = eachOnce((/** @type {number} */ key) => {
		const { index } = /** @type {import("./name-layout.js").Named} */ (coming.get(key));
		const mark = make("div", { class: "town leaflet-zoom-hide" }, make("span", {}, towns.value.names[index]));
		pane.append(mark);
		atEnd(() => mark.remove());
		return mark;
	});
	const show = () => {
		const zoom = map.getZoom();
		const { x: width, y: height } = map.getSize();
		const middle = map.project(map.getCenter(), zoom);
		// Includes an area beyond the edges, so that names are present before it becomes visible.
		const window = { left: middle.x - width, top: middle.y - height, width: 2 * width, height: 2 * height };
		const namedTowns = chooseNames(towns.value, 256 * 2 ** zoom, window, widthOf);
		coming = new Map(namedTowns.map((each) => [towns.value.ranks[each.index], each]));
		const origin = map.getPixelOrigin();
		for (const [at, { style }] of markAll([...coming.keys()]).entries()) {
			style.left = `${Math.round(namedTowns[at].x - origin.x)}px`;
			style.top = `${Math.round(namedTowns[at].y - origin.y)}px`;
		}
	};
	map.on("zoom moveend resize", show);
	// Reads the signal of towns, so that new ones are named when they are loaded.
	live(show);
	atEnd(() => map.off("zoom moveend resize", show));
}
