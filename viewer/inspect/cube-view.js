/** Three faces of the cube in space: dragging a face cuts there, dragging elsewhere turns, the wheel stretches time. */
import { make, runKey } from "../base/elements.js";
import { chooseTime, timeIndex } from "../base/state.js";
import { text } from "../base/text.js";
import { effect, signal } from "../vendor/signals-core.js";
import { cutAt, cutShares, grid, paintTop } from "./cube-cut.js";

const [WIDTH, HEIGHT, TURN, STEP] = [170, 130, 5, 0.02];

/**
 * Direction of the movement of each cut while its share grows.
 * @type {Record<"lon" | "lat" | "time", [x: number, y: number, z: number]>}
 */
const AXES = { lon: [1, 0, 0], lat: [0, 0, -1], time: [0, -1, 0] };
/** @typedef {keyof typeof AXES} Axis */

/** Rotation about both axes in degrees, and stretch of time. */
const turned = signal({ x: -28, y: -32, stretch: 1 });

/**
 * @param {HTMLElement} scene
 * @param {{ faces: HTMLCanvasElement[], painted: import("@preact/signals-core").ReadonlySignal<number> }} of the flat
 *   faces
 */
export function startCube(scene, { faces, painted }) {
	const [front, side, top] = /** @type {Axis[]} */ (["lat", "lon", "time"]).map((axis) =>
		make("canvas", { class: "cube-face", "data-axis": axis }),
	);
	const floor = make("div", { class: "cube-face cube-floor" });
	const body = make("div", { class: "cube-body" }, floor, front, side, top);
	const attributes = { class: "cube-room", role: "group", tabindex: 0, "aria-label": text("inspect.turn") };
	const room = make("div", attributes, body);
	scene.append(room, make("p", { class: "inspect-note" }, text("inspect.turnHint")));
	const sizes = () => {
		const of = grid.value;
		const depth = of ? Math.min(2 * WIDTH, (WIDTH * of.rows) / of.columns) : WIDTH;
		return { lon: WIDTH, lat: depth, time: HEIGHT * turned.value.stretch };
	};
	effect(() => {
		void painted.value;
		for (const [at, copy] of [front, side].entries()) {
			const { width, height } = faces[at];
			Object.assign(copy, { width, height });
			if (width > 0 && height > 0) copy.getContext("2d")?.drawImage(faces[at], 0, 0);
		}
		paintTop(top);
	});
	effect(() => {
		const { lon, lat, time } = sizes();
		const shares = cutShares();
		place(front, lon, time, `translateZ(${(0.5 - shares.lat) * lat}px)`);
		place(side, lat, time, `translateX(${(shares.lon - 0.5) * lon}px) rotateY(90deg)`);
		place(top, lon, lat, `translateY(${(0.5 - shares.time) * time}px) rotateX(90deg)`);
		place(floor, lon, lat, `translateY(${time / 2}px) rotateX(90deg)`);
		const { x, y } = turned.value;
		body.style.transform = `rotateX(${x}deg) rotateY(${y}deg)`;
	});
	const turnBy = (/** @type {number} */ x, /** @type {number} */ y) => {
		const now = turned.peek();
		turned.value = { ...now, x: Math.max(-90, Math.min(90, now.x + x)), y: now.y + y };
	};
	/** @type {Axis | null} */
	let axis = null;
	room.addEventListener("pointerdown", (event) => {
		axis = /** @type {Axis | null} */ (/** @type {HTMLElement} */ (event.target).dataset.axis ?? null);
		room.setPointerCapture(event.pointerId);
	});
	room.addEventListener("pointermove", (event) => {
		if (!room.hasPointerCapture(event.pointerId)) return;
		if (axis) cutAt({ [axis]: cutShares()[axis] + alongAxis(axis, event) / sizes()[axis] });
		else turnBy(-event.movementY / 2, event.movementX / 2);
	});
	room.addEventListener(
		"wheel",
		(event) => {
			event.preventDefault();
			const now = turned.peek();
			turned.value = { ...now, stretch: Math.max(0.4, Math.min(2.5, now.stretch * Math.exp(-event.deltaY / 500))) };
		},
		{ passive: false },
	);
	room.addEventListener("keydown", (event) => {
		const { lon, lat } = cutShares();
		runKey(event, {
			ArrowLeft: () => (event.shiftKey ? cutAt({ lon: lon - STEP }) : turnBy(0, -TURN)),
			ArrowRight: () => (event.shiftKey ? cutAt({ lon: lon + STEP }) : turnBy(0, TURN)),
			ArrowUp: () => (event.shiftKey ? cutAt({ lat: lat + STEP }) : turnBy(-TURN, 0)),
			ArrowDown: () => (event.shiftKey ? cutAt({ lat: lat - STEP }) : turnBy(TURN, 0)),
			PageUp: () => chooseTime(timeIndex.peek() + 1),
			PageDown: () => chooseTime(timeIndex.peek() - 1),
		});
	});
}

/**
 * @param {HTMLElement} face
 * @param {number} width
 * @param {number} height
 * @param {string} move from the middle of the cube
 */
function place(face, width, height, move) {
	face.style.width = `${width}px`;
	face.style.height = `${height}px`;
	face.style.transform = `translate(-50%, -50%) ${move}`;
}

/**
 * Projects a movement of the pointer onto an axis as seen on the screen, in pixels.
 * @param {Axis} axis
 * @param {PointerEvent} event
 */
function alongAxis(axis, { movementX, movementY }) {
	const { x, y } = turned.peek();
	const seen = new DOMMatrix(`rotateX(${x}deg) rotateY(${y}deg)`).transformPoint(new DOMPoint(...AXES[axis]));
	const length = seen.x ** 2 + seen.y ** 2;
	return length < 0.05 ? 0 : (movementX * seen.x + movementY * seen.y) / length;
}
