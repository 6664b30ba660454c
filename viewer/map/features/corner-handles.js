/**
 * Handles at the corners of an area that is being changed: buttons that are dragged, or moved by arrow keys.
 *
 * @typedef {import("../../areas/shapes/corners.js").At} At
 * @typedef {import("../../areas/shapes/corners.js").Corner} Corner
 * @typedef {import("../../areas/shapes/earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {import("../../vendor/leaflet.js").Map} LeafletMap
 */

import { change, isTooFine, nearestTurn, stepChange } from "../../areas/draft-steps.js";
import { addCorner, cornersOf, middlesOf, moveAll, moveCorner, removeCorner } from "../../areas/shapes/corners.js";
import { boxOf, drawnRing, polygonsOf, positionsOf } from "../../areas/shapes/geometry.js";
import { make } from "../../base/elements.js";
import { text } from "../../base/text.js";
import { DivIcon, LatLngBounds, LayerGroup, Marker, Polygon } from "../../vendor/leaflet.js";
import { computed, effect, signal } from "../../vendor/signals-core.js";
import { ARROWS, DRAFT_PANE } from "./draft-layer.js";

const HANDLES_PANE = "handles";
/** More handles than these would hide the map; the user is told to zoom in. */
const MAX_HANDLES = 250;
/** Corners nearer together than this have no handle between them. */
const LEAST_GAP_PX = 36;
/** Handles of an area that is smaller lie upon one another. */
const SMALL_PX = 48;
/** What a handle needs to the edges of the map. */
const EDGE_PX = 28;
const STEP_PX = 10;
const FINE_STEP_PX = 1;
/** What a press on a handle must not start. */
const PRESSES = ["mousedown", "touchstart", "click", "dblclick", "contextmenu"];

/** The form that is being dragged to, before it is let go. */
const dragged = signal(/** @type {Geometry | null} */ (null));

/** @param {LeafletMap} map */
export function startCornerHandles(map) {
	map.createPane(HANDLES_PANE).style.zIndex = "620";
	const isOpen = computed(() => change.value !== null);
	effect(() => {
		if (!isOpen.value) return;
		const handles = new Handles(map);
		return () => handles.remove();
	});
}

/** The outline and its handles, as long as an area is being changed. */
class Handles {
	/** @param {LeafletMap} map */
	constructor(map) {
		this.map = map;
		this.outline = new LayerGroup().addTo(map);
		this.handles = new LayerGroup().addTo(map);
		this.place = () => this.placeHandles();
		/** Of what the handles are that are there, and at which zoom; null where the map shows only some. */
		this.placed = /** @type {{ geometry: Geometry, zoom: number, turn: number } | null} */ (null);
		// The bar that must not cover corners comes with the same change.
		queueMicrotask(() => change.peek() && this.bringIntoSight());
		map.on("moveend zoomend", this.place);
		this.stops = [
			effect(() => this.drawOutline(dragged.value ?? change.value?.geometry.now ?? null)),
			effect(() => {
				if (change.value) this.placeHandles();
			}),
		];
	}

	remove() {
		for (const stop of this.stops) stop();
		this.map.off("moveend zoomend", this.place);
		this.outline.remove();
		this.handles.remove();
		isTooFine.value = false;
		dragged.value = null;
	}

	/** Moves the map so that all corners are beside what stands over it; an area too small to take hold of is enlarged. */
	bringIntoSight() {
		const positions = positionsOf(/** @type {Geometry} */ (change.peek()?.geometry.now));
		const bounds = new LatLngBounds(positions.map((position) => this.toLatLng(position)));
		const [from, to] = [bounds.getNorthWest(), bounds.getSouthEast()].map((at) => this.map.latLngToContainerPoint(at));
		const isSmall = positions.length > 1 && from.distanceTo(to) < SMALL_PX;
		const maxZoom = isSmall ? this.map.getMaxZoom() : this.map.getZoom();
		const [left, top, right, bottom] = this.margins();
		const { x: width, y: height } = this.map.getSize();
		const isInside = from.x >= left && from.y >= top && to.x <= width - right && to.y <= height - bottom;
		if (isInside && !isSmall) return;
		this.map.fitBounds(bounds, {
			animate: false,
			maxZoom,
			paddingTopLeft: [left, top],
			paddingBottomRight: [right, bottom],
		});
	}

	/** Pixels at each edge of the map where something may stand over it: left, top, right, bottom. */
	margins() {
		const map = this.map.getContainer().getBoundingClientRect();
		const bar = document.querySelector(".draw-bar")?.getBoundingClientRect();
		const isAbove = bar && bar.bottom < map.top + map.height / 2;
		const [top, bottom] = bar ? (isAbove ? [bar.bottom - map.top, 0] : [0, map.bottom - bar.top]) : [0, 0];
		return [EDGE_PX, EDGE_PX + top, 2 * EDGE_PX, EDGE_PX + bottom];
	}

	/** Degrees to add to longitudes so that they are on the turn of the globe that the map shows. */
	turn() {
		const first = change.peek() && positionsOf(/** @type {any} */ (change.peek()).geometry.now)[0];
		return first ? 360 * Math.round((this.map.getCenter().lng - first[0]) / 360) : 0;
	}

	/** @param {Position} position @returns {[number, number]} */
	toLatLng([lon, lat]) {
		return [lat, lon + this.turn()];
	}

	/** @param {Geometry | null} geometry */
	drawOutline(geometry) {
		this.outline.clearLayers();
		if (!geometry) return;
		const line = { pane: DRAFT_PANE, interactive: false, smoothFactor: 0 };
		for (const rings of polygonsOf(geometry)) {
			const latLngs = rings.map((ring) => drawnRing(ring).map((position) => this.toLatLng(position)));
			this.outline.addLayer(new Polygon(latLngs, { ...line, color: "#fff", weight: 5, opacity: 0.9, fill: false }));
			const stroke = {
				color: "var(--accent-on-map)",
				weight: 2.25,
				fillColor: "var(--accent-on-map)",
				fillOpacity: 0.12,
			};
			this.outline.addLayer(new Polygon(latLngs, { ...line, ...stroke }));
		}
	}

	/** Puts handles at what is in sight, in place of those before; the one that has the focus keeps it. */
	placeHandles() {
		const geometry = change.peek()?.geometry.now;
		const zoom = this.map.getZoom();
		if (!geometry || dragged.peek()) return;
		const turn = this.turn();
		if (this.placed?.geometry === geometry && this.placed.zoom === zoom && this.placed.turn === turn) return;
		const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.corner : undefined;
		const seen = this.map.getBounds().pad(0.05);
		const inSight = (/** @type {Corner} */ { position }) => seen.contains(this.toLatLng(position));
		const all = cornersOf(geometry);
		const isWhole = all.length <= MAX_HANDLES;
		this.placed = isWhole ? { geometry, zoom, turn } : null;
		const shown = isWhole ? all : all.filter(inSight);
		isTooFine.value = shown.length > MAX_HANDLES;
		this.handles.clearLayers();
		if (!isTooFine.peek()) {
			for (const corner of shown) this.addCornerHandle(geometry, corner);
			for (const middle of middlesOf(geometry).filter((each) => isWhole || inSight(each)))
				this.addMiddleHandle(geometry, middle);
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
		const button = this.addHandle("corner", label, corner, (position) => moveCorner(geometry, corner, position));
		button.dataset.corner = keyOf(corner);
		button.addEventListener("keydown", (event) => {
			if (event.key === "Delete" || event.key === "Backspace") stepChange(removeCorner(geometry, corner));
			else if (event.key === "Insert" || event.key === "+") this.insertAfter(geometry, corner);
			else return;
			event.preventDefault();
			event.stopPropagation();
		});
		button.addEventListener("contextmenu", (event) => {
			event.preventDefault();
			stepChange(removeCorner(geometry, corner));
		});
	}

	/** Adds a corner half way to the next one, which gets the focus. @param {Geometry} geometry @param {At} at */
	insertAfter(geometry, at) {
		const middle = middlesOf(geometry).find((each) => keyOf(each) === keyOf(at));
		if (!middle) return;
		stepChange(addCorner(geometry, at, middle.position));
		this.focus(keyOf({ ...at, index: at.index + 1 }));
	}

	/** @param {Geometry} geometry @param {Corner} middle */
	addMiddleHandle(geometry, middle) {
		const ring = polygonsOf(geometry)[middle.polygon][middle.ring];
		const [from, to] = [ring[middle.index], ring[middle.index + 1]].map((position) =>
			this.map.latLngToContainerPoint(this.toLatLng(position)),
		);
		if (from.distanceTo(to) < LEAST_GAP_PX) return;
		const button = this.addHandle("middle", text("draw.addCorner"), middle, (position) =>
			addCorner(geometry, middle, position),
		);
		// Those who use the keyboard add corners at the one before.
		button.tabIndex = -1;
		button.addEventListener("click", () => stepChange(addCorner(geometry, middle, middle.position)));
	}

	/** A handle in the middle of the whole that moves it. @param {Geometry} geometry */
	addMoveHandle(geometry) {
		const [west, south, east, north] = boxOf(positionsOf(geometry));
		const centre = [(west + east) / 2, (south + north) / 2];
		const corner = { polygon: -1, ring: -1, index: -1, position: centre };
		const button = this.addHandle("whole", text("draw.moveAll"), corner, ([lon, lat]) =>
			moveAll(geometry, [lon - centre[0], lat - centre[1]]),
		);
		button.dataset.corner = keyOf(corner);
	}

	/** @param {"corner" | "middle" | "whole"} kind @param {string} label @param {Corner} corner @param {(to: Position) => Geometry} move */
	addHandle(kind, label, corner, move) {
		const button = make("button", { type: "button", class: "area-handle", "data-kind": kind, "aria-label": label });
		for (const press of PRESSES) button.addEventListener(press, (event) => event.stopPropagation());
		this.followDrag(button, corner.position, move);
		button.addEventListener("keydown", (event) => this.moveByKey(event, corner.position, move));
		button.addEventListener("focus", () => {
			if (!button.matches(":focus-visible")) return;
			const [left, top, right, bottom] = this.margins();
			const room = { paddingTopLeft: [left, top], paddingBottomRight: [right, bottom] };
			this.map.panInside(this.toLatLng(corner.position), { animate: false, .../** @type {any} */ (room) });
		});
		const icon = new DivIcon({ html: button, className: "area-handle-frame", iconSize: [0, 0] });
		const at = this.toLatLng(corner.position);
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
		const at = this.map.latLngToContainerPoint(this.toLatLng(from));
		const { lng, lat } = this.map.containerPointToLatLng(at.add([arrow[0] * step, arrow[1] * step]));
		stepChange(move(nearestTurn([lng, lat], from)));
	}

	/** @param {HTMLElement} button @param {Position} from @param {(to: Position) => Geometry} move */
	followDrag(button, from, move) {
		/** @type {[x: number, y: number] | null} */
		let grip = null;
		const target = (/** @type {PointerEvent} */ event) => {
			const at = this.map.mouseEventToContainerPoint(event).subtract(/** @type {[number, number]} */ (grip));
			const { lng, lat } = this.map.containerPointToLatLng(at);
			return nearestTurn([lng, lat], from);
		};
		button.addEventListener("pointerdown", (event) => {
			event.stopPropagation();
			if (event.button !== 0 || !event.isPrimary) return;
			const offset = this.map
				.mouseEventToContainerPoint(event)
				.subtract(this.map.latLngToContainerPoint(this.toLatLng(from)));
			grip = [offset.x, offset.y];
			button.setPointerCapture(event.pointerId);
			button.focus({ preventScroll: true });
		});
		button.addEventListener("pointermove", (event) => {
			if (!grip || (event.movementX === 0 && event.movementY === 0)) return;
			const position = target(event);
			dragged.value = move(position);
			const { x, y } = this.map
				.latLngToContainerPoint(this.toLatLng(position))
				.subtract(this.map.latLngToContainerPoint(this.toLatLng(from)));
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
