/** Panel with the values of a row and of a column of the cube over time. */
import { placeText } from "../areas/size-labels.js";
import { until } from "../base/delays.js";
import { followDrag, make, makeWordButton, runKey, SLIDER } from "../base/elements.js";
import { startPart } from "../base/parts.js";
import { chooseTime, isMoving, prepareMoves, shownDate, sideA, timeDomain, timeIndex } from "../base/state.js";
import { text } from "../base/text.js";
import { effect, signal } from "../vendor/signals-core.js";
import { box, cutAt, cutShares, grid, paintFace } from "./cube-cut.js";
import { cube } from "./marks.js";
import { followSide } from "./readings.js";

const STEP = 0.01;

/** Whether the cube is shown in space. */
export const isTurned = signal(false);

/** @param {"lon" | "lat"} along @param {HTMLElement} root */
function makeFace(along, root) {
	const label = text(along === "lon" ? "inspect.timeLon" : "inspect.timeLat");
	const canvas = make("canvas");
	const [row, column] = [make("i", { class: "face-row" }), make("i", { class: "face-column" })];
	const ends = [0, 1].map(() => make("span", {}));
	const how = { ...SLIDER, class: "face", "aria-label": label, "aria-valuemax": 100 };
	const face = make("div", how, canvas, row, column);
	followDrag(face, ({ clientX, clientY }) => {
		const { left, top, width, height } = face.getBoundingClientRect();
		cutAt({ [along]: (clientX - left) / width, time: 1 - (clientY - top) / height });
	});
	face.addEventListener("keydown", (event) => {
		const shares = cutShares();
		runKey(event, {
			ArrowLeft: () => cutAt({ [along]: shares[along] - STEP }),
			ArrowRight: () => cutAt({ [along]: shares[along] + STEP }),
			ArrowUp: () => chooseTime(timeIndex.peek() + 1),
			ArrowDown: () => chooseTime(timeIndex.peek() - 1),
		});
	});
	root.append(make("p", { class: "face-name" }, label), face, make("p", { class: "face-ends" }, ...ends));
	effect(() => {
		const [now, shares] = [cube.value, cutShares()];
		if (!now) return;
		column.style.left = `${100 * shares[along]}%`;
		row.style.bottom = `${100 * shares.time}%`;
		face.setAttribute("aria-valuenow", String(Math.round(100 * shares[along])));
		face.setAttribute("aria-valuetext", `${placeText([now.lon, now.lat])}, ${shownDate.value}`);
		const edges = along === "lon" ? [now.west, now.east] : [now.south, now.north];
		for (const [at, end] of ends.entries()) {
			const [lat, lon] = placeText(along === "lon" ? [edges[at], 0] : [0, edges[at]], 3).split(/(?<=\D), /);
			end.textContent = along === "lon" ? lon : lat;
		}
	});
	return canvas;
}

/** @param {HTMLElement} root @param {import("@preact/signals-core").ReadonlySignal<boolean>} isOpen */
export function startFaces(root, isOpen) {
	const message = make("p", { class: "inspect-note", role: "status" });
	const scene = make("div", { class: "cube-scene" });
	const turn = makeWordButton("cube", text("inspect.turn"), () => {
		isTurned.value = !isTurned.peek();
	});
	root.append(turn, scene, message);
	const faces = /** @type {const} */ (["lon", "lat"]).map((along) => ({ along, canvas: makeFace(along, root) }));
	// A new rectangle is cut in its middle.
	effect(() => {
		const edges = isOpen.value ? box.value : null;
		cube.value = edges && { ...edges, lon: (edges.west + edges.east) / 2, lat: (edges.south + edges.north) / 2 };
		if (edges) prepareMoves();
	});
	const painted = signal(0);
	effect(() => {
		followSide(sideA);
		if (!cube.value || !grid.value || isMoving.value) return;
		const waiting = requestAnimationFrame(() => {
			for (const { along, canvas } of faces) paintFace(canvas, along);
			painted.value = painted.peek() + 1;
		});
		return () => cancelAnimationFrame(waiting);
	});
	effect(() => {
		const of = grid.value;
		const { instants } = timeDomain.value;
		if (!of) return;
		const isWhole = of.indexes.every((index) => sideA.loadedTimes.value.get(index) === "full");
		const [first, last] = [of.indexes[0], of.indexes[of.indexes.length - 1]].map((index) =>
			instants[index].text.slice(0, 10),
		);
		message.textContent = [`${first} – ${last}`, isWhole ? "" : text("inspect.loading")].filter(Boolean).join(" · ");
	});
	effect(() => {
		turn.setAttribute("aria-pressed", String(isTurned.value));
		scene.hidden = !isTurned.value;
	});
	void until(() => isTurned.value && isOpen.value).then(() =>
		startPart("cube", async () => {
			const { startCube } = await import("./cube-view.js");
			startCube(scene, { faces: faces.map(({ canvas }) => canvas), painted });
		}),
	);
}
