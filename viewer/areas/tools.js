/**
 * The buttons on the map that choose a tool: one opens the shapes and the inspection tools, the other one measures.
 *
 * @typedef {import("./shapes/drafts.js").Tool} Tool
 */
import { make, makeIconButton, makeOpener } from "../base/elements.js";
import { startPart } from "../base/parts.js";
import { inspected, mapTool, openInspection } from "../base/state.js";
import { text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";

/** @type {Tool[]} */
const SHAPES = ["point", "rectangle", "polygon", "circle", "profile"];
/** @type {Record<Tool, string>} */
const ICONS = {
	point: "pin",
	rectangle: "rectangle",
	polygon: "area",
	circle: "circle",
	measure: "measure",
	profile: "profile",
};

/**
 * Calls a function of the drawing modules, which are loaded when needed.
 * @param {(steps: typeof import("./draft-steps.js")) => void} act
 */
export const draw = (act) => startPart("steps of drawing", async () => act(await import("./draft-steps.js")));

/** A button that takes a tool, or lays it down. @param {Tool} tool @param {() => void} [done] */
function makeToolButton(tool, done = () => {}) {
	const button = makeIconButton(ICONS[tool], text(`draw.tool.${tool}`), (/** @type {MouseEvent} */ event) => {
		void draw(({ beginDraft, cancel }) => {
			if (mapTool.peek() === tool) cancel();
			// A click that no pointer made came from the keyboard.
			else beginDraft(tool, event.detail === 0);
		});
		done();
	});
	effect(() => button.setAttribute("aria-pressed", String(mapTool.value === tool)));
	return button;
}

/** @param {HTMLElement} tools */
export function startTools(tools) {
	const shapes = make("div", { class: "area-shapes", role: "group", "aria-label": text("draw.title") });
	const { button: opener, open } = makeOpener("edit", text("draw.title"), shapes);
	// Before a tool is chosen, since a click on the map chooses a place until its modules are loaded.
	opener.addEventListener("click", () => void startPart("drawing", () => import("./draft-steps.js")));
	const look = () => {
		open(false);
		openInspection(inspected.peek() ?? "cube");
	};
	shapes.append(
		...SHAPES.map((shape) => makeToolButton(shape, () => open(false))),
		makeIconButton("cube", text("inspect.title"), look),
	);
	const group = make("div", { class: "area-tools" }, opener, shapes);
	group.addEventListener("keydown", (event) => {
		if (event.key !== "Escape" || shapes.hidden) return;
		event.stopPropagation();
		open(false);
		opener.focus();
	});
	document.addEventListener("pointerdown", ({ target }) => {
		if (target instanceof Node && !group.contains(target)) open(false);
	});
	const measure = makeToolButton("measure");
	for (const button of [opener, measure]) button.classList.remove("quiet");
	tools.append(group, measure);
}
