/**
 * The panel next to the map for inspecting values: along a line, of two layers, through time. Loaded on demand.
 */
import { make, makeIconButton } from "../base/elements.js";
import { chooseProfileLine, inspected, joinLink, openInspection, profileLine } from "../base/state.js";
import { makeTabs } from "../base/tabs.js";
import { text } from "../base/text.js";
import { makeDownload } from "../chart/download.js";
import { batch, computed, effect } from "../vendor/signals-core.js";
import { isTurned, startFaces } from "./faces.js";
import { startProfile } from "./profile.js";
import { startScatter } from "./scatter.js";

/** @typedef {"profile" | "scatter" | "cube"} Name */

/** @param {HTMLElement} frame of the map */
export function startInspect(frame) {
	const [opened, line] = [inspected.peek(), profileLine.peek()];
	joinLink({
		write: () => ({
			line: inspected.value === "profile" ? (profileLine.value ?? undefined) : undefined,
			cube: inspected.value === "cube" ? (isTurned.value ? "3d" : "1") : undefined,
			scatter: inspected.value === "scatter" || undefined,
		}),
		read: (asked) => {
			isTurned.value = asked.cube === "3d";
			chooseProfileLine(asked.line ?? null);
			openInspection(asked.line ? "profile" : asked.cube ? "cube" : asked.scatter ? "scatter" : null);
		},
	});
	// A tool that the user has opened in the meantime is newer than the link.
	if (opened !== null)
		batch(() => {
			openInspection(opened);
			chooseProfileLine(line);
		});
	const views = /** @type {Name[]} */ (["profile", "scatter", "cube"]).map((id) => ({
		id,
		label: text(`inspect.${id}`),
		panel: make("div", { class: `inspect-${id}` }),
	}));
	const show = (/** @type {Name | null} */ name) => {
		openInspection(name);
	};
	const { list, choose } = makeTabs(text("inspect.title"), views, show, inspected.peek() ?? "cube");
	const close = () => {
		show(null);
		document.getElementById("map")?.focus();
	};
	const root = make("section", { class: "inspect", "aria-label": text("inspect.title") });
	const isOpen = (/** @type {Name} */ name) => computed(() => inspected.value === name);
	const [profile, scatter, cube] = views.map(({ panel }) => panel);
	const ofProfile = startProfile(profile, isOpen("profile"));
	const ofScatter = startScatter(scatter, isOpen("scatter"));
	startFaces(cube, isOpen("cube"));
	const download = makeDownload(() => (inspected.peek() === "scatter" ? ofScatter : ofProfile), root);
	const cross = makeIconButton("close", text("action.close"), close);
	root.append(make("div", { class: "inspect-head" }, list, download, cross), ...views.map(({ panel }) => panel));
	root.addEventListener("keydown", (event) => {
		if (event.key !== "Escape" || event.defaultPrevented) return;
		event.stopPropagation();
		close();
	});
	frame.append(root);
	effect(() => {
		root.hidden = inspected.value === null;
		frame.toggleAttribute("data-inspect", !root.hidden);
		download.hidden = inspected.value === "cube";
		if (inspected.value !== null) choose(inspected.value);
	});
}
