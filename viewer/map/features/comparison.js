/**
 * Two sides on the map: divided by a handle or a lens, faded, in two maps, or as their difference.
 *
 * @typedef {import("../../base/state.js").Side} Side
 * @typedef {import("../../vendor/leaflet.js").Map} LeafletMap
 * @typedef {import("../../base/permalink.js").CompareMode} CompareMode
 */

import { make } from "../../base/elements.js";
import { atEnd, live } from "../../base/live.js";
import { compareMode as mode, pointer, sideA, sideB } from "../../base/state.js";
import { isHorizontal, split } from "../../compare/second-side.js";
import { effect } from "../../vendor/signals-core.js";
import { drawSide } from "../data-pane.js";
import { showGround } from "../ground.js";
import { centreOf, followClicks, makeMap, maps, turnTo } from "../map.js";
import { showDifference } from "./difference-tiles.js";

const PANE = "compare";
const DIFFERENCE_PANE = "difference";
/** Radius of the lens. */
const LENS_PX = 110;

/** Draws the second side in the current mode, and removes it. @param {HTMLElement} frame contains the map */
export function startComparison(frame) {
	const [map] = maps.peek();
	map.createPane(PANE).style.zIndex = "210";
	map.createPane(DIFFERENCE_PANE).style.zIndex = "220";
	effect(() => {
		frame.dataset.shownB = sideB.value?.tileProgress.value.phase ?? "";
	});
	live(() => {
		const side = sideB.value;
		const how = mode.value;
		if (!side || !how) return;
		frame.dataset.compare = how;
		if (how === "side") showBeside(frame, map, side);
		else showOver(map, side, how);
		return () => {
			delete frame.dataset.compare;
		};
	});
}

/** @param {LeafletMap} map @param {Side} side @param {CompareMode} how */
function showOver(map, side, how) {
	drawSide(map, side, PANE);
	clip(map, how);
	if (how === "diff") showDifference(map, sideA, side, DIFFERENCE_PANE);
}

/** Clips both sides to their visible parts. @param {LeafletMap} map @param {CompareMode} how */
function clip(map, how) {
	const [under, over] = ["tilePane", PANE].map((name) => /** @type {HTMLElement} */ (map.getPane(name)));
	const cut = () => {
		const shapes = shapesOf(map, how);
		under.style.clipPath = shapes.a;
		over.style.clipPath = shapes.b;
		over.style.opacity = how === "opacity" ? String(split.value) : "";
		for (const pane of [under, over]) pane.style.visibility = how === "diff" ? "hidden" : "";
	};
	live(cut);
	map.on("move zoomend viewreset resize", cut);
	atEnd(() => {
		map.off("move zoomend viewreset resize", cut);
		for (const pane of [under, over]) pane.removeAttribute("style");
		over.style.zIndex = "210";
	});
}

/**
 * Returns the visible parts of A and of B, in the coordinates of the map's panes.
 * @param {LeafletMap} map
 * @param {CompareMode} how
 */
function shapesOf(map, how) {
	const { x: width, y: height } = map.getSize();
	const at = (/** @type {number} */ x, /** @type {number} */ y) => {
		const corner = map.containerPointToLayerPoint([x, y]);
		return `${corner.x}px ${corner.y}px`;
	};
	/** @type {(x: number, y: number, right: number, bottom: number) => string} */
	const box = (x, y, right, bottom) => `polygon(${at(x, y)}, ${at(right, y)}, ${at(right, bottom)}, ${at(x, bottom)})`;
	if (how === "swipe") {
		const [x, y] = isHorizontal.value ? [width, height * split.value] : [width * split.value, height];
		return { a: box(0, 0, x, y), b: isHorizontal.value ? box(0, y, x, height) : box(x, 0, width, y) };
	}
	if (how !== "spy") return { a: "", b: "" };
	const { lat, lon } = pointer.value ?? centreOf(map);
	const { x, y } = map.latLngToLayerPoint([lat, lon + turnTo(map, [lon])]);
	const corner = map.containerPointToLayerPoint([0, 0]);
	const round = `M${x - LENS_PX} ${y}a${LENS_PX} ${LENS_PX} 0 1 0 ${2 * LENS_PX} 0a${LENS_PX} ${LENS_PX} 0 1 0 ${-2 * LENS_PX} 0Z`;
	const whole = `M${corner.x} ${corner.y}h${width}v${height}h${-width}Z`;
	return { a: `path(evenodd, "${whole}${round}")`, b: `path("${round}")` };
}

/**
 * Shows a second map next to the first, which moves with it.
 * @param {HTMLElement} frame
 * @param {LeafletMap} map
 * @param {Side} side
 */
function showBeside(frame, map, side) {
	const element = make("div", { class: "map beside" });
	frame.append(element);
	const other = makeMap(element);
	drawSide(other, side);
	showGround(other);
	maps.value = [...maps.peek(), other];
	followClicks(other);
	let isFollowing = false;
	const link = (/** @type {LeafletMap} */ from, /** @type {LeafletMap} */ to) => () => {
		if (isFollowing) return;
		isFollowing = true;
		to.setView(from.getCenter(), from.getZoom(), { animate: false });
		isFollowing = false;
	};
	const [lead, follow] = [link(map, other), link(other, map)];
	map.on("move zoomend resize", lead);
	other.on("move zoomend", follow);
	const resized = new ResizeObserver(() => {
		// Its own change of size moves no map.
		isFollowing = true;
		other.invalidateSize({ pan: false });
		isFollowing = false;
		lead();
	});
	resized.observe(element);
	atEnd(() => {
		resized.disconnect();
		map.off("move zoomend resize", lead);
		maps.value = maps.peek().filter((each) => each !== other);
		other.remove();
		element.remove();
	});
}
