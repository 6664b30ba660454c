/**
 * Handles at the corners of an area that is being changed: buttons that are dragged, or moved by arrow keys.
 *
 * @typedef {import("../../areas/shapes/corners.js").At} At
 * @typedef {import("../../areas/shapes/corners.js").Corner} Corner
 * @typedef {import("../../areas/shapes/earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {import("../../vendor/leaflet.js").Map} LeafletMap
 */

import { change, isTooFine, stepChange } from "../../areas/draft-steps.js";
import { startDrawBar } from "../../areas/draw-bar.js";
import { addCorner, cornersOf, middleAfter, moveAll, moveCorner, removeCorner } from "../../areas/shapes/corners.js";
import { boxOf, drawnRing, nearestTurn, polygonsOf, positionsOf } from "../../areas/shapes/geometry.js";
import { make } from "../../base/elements.js";
import { text } from "../../base/text.js";
import { DivIcon, LatLngBounds, LayerGroup, Marker, Point, Polygon } from "../../vendor/leaflet.js";
import { computed, effect, signal } from "../../vendor/signals-core.js";
import { maps, toLatLngs, turnTo } from "../map.js";
import { ARROWS, CASING, STROKE, startDraftLayer } from "./draft-layer.js";

const HANDLES_PANE = "handles";
/** More handles than these would hide the map; a message suggests to zoom in. */
const MAX_HANDLES = 250;
/** Corners nearer together than this have no handle between them. */
const LEAST_GAP_PX = 36;
/** Handles of a smaller area overlap. */
const SMALL_PX = 48;
/** Distance between handles and the edges of the map. */
const EDGE_PX = 28;
const STEP_PX = 10;
const FINE_STEP_PX = 1;
/** Events on a handle that must not reach the map. */
const PRESSES = ["mousedown", "touchstart", "click", "dblclick", "contextmenu"];

/** The form that is being dragged to, before it is let go. */
const dragged = signal(/** @type {Geometry | null} */ (null));

/**
 * Starts the drawing tools on the map: the bar with instructions, the current drawing, handles at vertices.
 * @param {HTMLElement} frame of the map
 */
export function startDrawing(frame) {
	const [map] = maps.peek();
	startDrawBar(frame);
	startDraftLayer(map);
	map.createPane(HANDLES_PANE).style.zIndex = "620";
	const isOpen = computed(() => change.value !== null);
	effect(() => {
		if (!isOpen.value) return;
		const handles = new Handles(map);
		return () => handles.remove();
	});
}

/** The outline and its handles, while an area is being changed. */
class Handles {
	/** @param {LeafletMap} map */
	constructor(map) {
		this.map = map;
		this.outline = new LayerGroup().addTo(map);
		this.handles = new LayerGroup().addTo(map);
		/** Geometry, zoom and turn of the current handles; null if only a part of them is shown. */
		this.placed = /** @type {{ geometry: Geometry, zoom: number, turn: number } | null} */ (null);
		const place = () => this.placeHandles();
		map.on("moveend zoomend", place);
		// The bar, which must not cover vertices, is shown by the same change.
		queueMicrotask(() => change.peek() && this.bringIntoSight());
		this.stops = [
			effect(() => this.drawOutline(dragged.value ?? change.value?.geometry.now)),
			effect(() => {
				if (change.value) this.placeHandles();
			}),
			() => map.off("moveend zoomend", place),
		];
	}

	remove() {
		for (const stop of this.stops) stop();
		this.outline.remove();
		this.handles.remove();
		isTooFine.value = false;
		dragged.value = null;
	}

	/** Moves the map so that no vertex is hidden by the bar; zooms in if the area is too small for handles. */
	bringIntoSight() {
		const positions = positionsOf(/** @type {Geometry} */ (change.peek()?.geometry.now));
		const bounds = new LatLngBounds(toLatLngs(positions, this.turn()));
		const [from, to] = [bounds.getNorthWest(), bounds.getSouthEast()].map((at) => this.map.latLngToContainerPoint(at));
		const isSmall = positions.length > 1 && from.distanceTo(to) < SMALL_PX;
		const maxZoom = isSmall ? this.map.getMaxZoom() : this.map.getZoom();
		const margins = this.margins();
		const [least, most] = [margins.paddingTopLeft, this.map.getSize().subtract(margins.paddingBottomRight)];
		const isInside = from.x >= least.x && from.y >= least.y && to.x <= most.x && to.y <= most.y;
		if (isSmall || !isInside) this.map.fitBounds(bounds, { animate: false, maxZoom, ...margins });
	}

	/** Returns the margins of the map that the bar may cover. */
	margins() {
		const map = this.map.getContainer().getBoundingClientRect();
		const bar = document.querySelector(".draw-bar")?.getBoundingClientRect();
		const isAbove = bar && bar.bottom < map.top + map.height / 2;
		const [top, bottom] = bar ? (isAbove ? [bar.bottom - map.top, 0] : [0, map.bottom - bar.top]) : [0, 0];
		return {
			paddingTopLeft: new Point(EDGE_PX, EDGE_PX + top),
			paddingBottomRight: new Point(2 * EDGE_PX, EDGE_PX + bottom),
		};
	}

	/** Degrees to add to longitudes so that they are on the turn of the globe that the map shows. */
	turn() {
		const now = change.peek();
		return now ? turnTo(this.map, positionsOf(now.geometry.now)[0]) : 0;
	}

	/** @param {Position} position */
	toLatLng(position) {
		return toLatLngs([position], this.turn())[0];
	}

	/** Returns the pixel in the frame of the map. @param {Position} position */
	pixelOf(position) {
		return this.map.latLngToContainerPoint(this.toLatLng(position));
	}

	/** @param {Point} pixel @param {Position} near @returns {Position} on the turn that is nearest to that */
	positionAt(pixel, near) {
		const { lng, lat } = this.map.containerPointToLatLng(pixel);
		return nearestTurn([lng, lat], near);
	}

	/** @param {Geometry} [geometry] */
	drawOutline(geometry) {
		this.outline.clearLayers();
		if (!geometry) return;
		for (const rings of polygonsOf(geometry)) {
			const latLngs = rings.map((ring) => toLatLngs(drawnRing(ring), this.turn()));
			const filled = { ...STROKE, fill: true, fillOpacity: 0.12 };
			for (const look of [CASING, filled]) this.outline.addLayer(new Polygon(latLngs, look));
		}
	}

	/** Replaces the handles by those of the visible vertices; the focus is kept. */
	placeHandles() {
		const geometry = change.peek()?.geometry.now;
		const zoom = this.map.getZoom();
		if (!geometry || dragged.peek()) return;
		const turn = this.turn();
		if (this.placed?.geometry === geometry && this.placed.zoom === zoom && this.placed.turn === turn) return;
		const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.corner : undefined;
		const seen = this.map.getBounds().pad(0.05);
		const inSight = (/** @type {Position} */ position) => seen.contains(this.toLatLng(position));
		const all = cornersOf(geometry);
		const isWhole = all.length <= MAX_HANDLES;
		this.placed = isWhole ? { geometry, zoom, turn } : null;
		const shown = isWhole ? all : all.filter(({ position }) => inSight(position));
		isTooFine.value = shown.length > MAX_HANDLES;
		this.handles.clearLayers();
		if (!isTooFine.peek()) {
			for (const corner of shown) this.addCornerHandle(geometry, corner);
			for (const corner of all) if (isWhole || inSight(middleAfter(corner))) this.addMiddleHandle(geometry, corner);
		}
		if (geometry.type !== "Point") this.addMoveHandle(geometry);
		if (focused !== undefined) this.focus(focused);
	}

	/** @param {string} key */
	focus(key) {
		const pane = /** @type {HTMLElement} */ (this.map.getPane(HANDLES_PANE));
		const found = pane.querySelector(`[data-corner="${CSS.escape(key)}"]`) ?? pane.querySelector("[data-corner]");
		if (found instanceof HTMLElement) found.focus({ preventScroll: true });
	}

	/** @param {Geometry} geometry @param {Corner} corner */
	addCornerHandle(geometry, corner) {
		const count = polygonsOf(geometry)[corner.polygon]?.[corner.ring].length - 1;
		const label =
			geometry.type === "Point" ? text("draw.thePoint") : text("draw.corner", { number: corner.index + 1, count });
		const button = this.addHandle("corner", label, corner.position, (to) => moveCorner(geometry, corner, to));
		button.dataset.corner = keyOf(corner);
		button.addEventListener("keydown", (event) => {
			if (event.key === "Delete" || event.key === "Backspace") stepChange(removeCorner(geometry, corner));
			else if (geometry.type !== "Point" && (event.key === "Insert" || event.key === "+")) {
				stepChange(addCorner(geometry, corner, middleAfter(corner)));
				this.focus(keyOf({ ...corner, index: corner.index + 1 }));
			} else return;
			event.preventDefault();
			event.stopPropagation();
		});
		button.addEventListener("contextmenu", (event) => {
			event.preventDefault();
			stepChange(removeCorner(geometry, corner));
		});
	}

	/** Adds a handle in the middle of an edge if it is long enough. @param {Geometry} geometry @param {Corner} corner */
	addMiddleHandle(geometry, corner) {
		if (this.pixelOf(corner.position).distanceTo(this.pixelOf(corner.next)) < LEAST_GAP_PX) return;
		const middle = middleAfter(corner);
		const add = (/** @type {Position} */ position) => addCorner(geometry, corner, position);
		const button = this.addHandle("middle", text("draw.addCorner"), middle, add);
		// Keyboard users add vertices at the handle before.
		button.tabIndex = -1;
		button.addEventListener("click", () => stepChange(add(middle)));
	}

	/** Adds a handle in the middle that moves the whole area. @param {Geometry} geometry */
	addMoveHandle(geometry) {
		const [west, south, east, north] = boxOf(positionsOf(geometry));
		const centre = [(west + east) / 2, (south + north) / 2];
		const button = this.addHandle("whole", text("draw.moveAll"), centre, ([lon, lat]) =>
			moveAll(geometry, [lon - centre[0], lat - centre[1]]),
		);
		button.dataset.corner = "whole";
	}

	/**
	 * @param {"corner" | "middle" | "whole"} kind
	 * @param {string} label
	 * @param {Position} position
	 * @param {(to: Position) => Geometry} move
	 */
	addHandle(kind, label, position, move) {
		const button = make("button", { class: "area-handle", "data-kind": kind, "aria-label": label });
		for (const press of PRESSES) button.addEventListener(press, (event) => event.stopPropagation());
		this.followDrag(button, position, move);
		button.addEventListener("keydown", (event) => this.moveByKey(event, position, move));
		const at = this.toLatLng(position);
		button.addEventListener("focus", () => {
			if (button.matches(":focus-visible")) this.map.panInside(at, { animate: false, ...this.margins() });
		});
		const icon = new DivIcon({ html: button, className: "area-handle-frame", iconSize: [0, 0] });
		this.handles.addLayer(new Marker(at, { icon, pane: HANDLES_PANE, interactive: false, keyboard: false }));
		return button;
	}

	/** @param {KeyboardEvent} event @param {Position} from @param {(to: Position) => Geometry} move */
	moveByKey(event, from, move) {
		const arrow = ARROWS[event.key];
		if (!arrow || event.ctrlKey || event.altKey || event.metaKey) return;
		event.preventDefault();
		event.stopPropagation();
		const step = event.shiftKey ? FINE_STEP_PX : STEP_PX;
		stepChange(move(this.positionAt(this.pixelOf(from).add([arrow[0] * step, arrow[1] * step]), from)));
	}

	/** @param {HTMLElement} button @param {Position} from @param {(to: Position) => Geometry} move */
	followDrag(button, from, move) {
		/** @type {Point | null} */
		let grip = null;
		button.addEventListener("pointerdown", (event) => {
			event.stopPropagation();
			if (event.button !== 0 || !event.isPrimary) return;
			grip = this.map.mouseEventToContainerPoint(event).subtract(this.pixelOf(from));
			button.setPointerCapture(event.pointerId);
			button.focus({ preventScroll: true });
		});
		button.addEventListener("pointermove", (event) => {
			if (!grip || (event.movementX === 0 && event.movementY === 0)) return;
			const at = this.map.mouseEventToContainerPoint(event).subtract(grip);
			dragged.value = move(this.positionAt(at, from));
			const { x, y } = at.subtract(this.pixelOf(from));
			button.style.translate = `${x}px ${y}px`;
		});
		const end = (/** @type {boolean} */ isKept) => {
			const geometry = dragged.peek();
			grip = null;
			dragged.value = null;
			button.style.translate = "";
			if (isKept && geometry) stepChange(geometry);
		};
		button.addEventListener("pointerup", () => end(true));
		button.addEventListener("pointercancel", () => end(false));
	}
}

/** @param {At} at */
const keyOf = ({ polygon, ring, index }) => `${polygon}/${ring}/${index}`;
