/** The controls of the frame: panel, menu, colours, language, and what opens the dialogs. */

import { byId } from "../base/elements.js";
import { changeIcon } from "../base/icons.js";
import { startPart } from "../base/parts.js";
import { addressOf, readAddress, visit, withoutKey } from "../base/permalink.js";
import { chooseTheme, isDark, layer, link, theme, zoomToLayer } from "../base/state.js";
import { LOCALES, language, text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";
import { startSheet } from "./sheet.js";
import { startShortcuts } from "./shortcuts.js";
import { startDescription, startSpeech } from "./speech.js";

/** @typedef {import("../base/permalink.js").Theme} Theme */

/** In the order in which the switch goes through them. @type {Theme[]} */
const THEMES = ["auto", "light", "dark"];

/** The room on a page of A4 across, in CSS pixels, above the link. */
const ROOM = { width: 1040, height: 620 };
/** Tiles that are made smaller end on whole pixels, or else lines show between them. */
const TILE_PX = 256;

export function startFrame() {
	startPanelButton();
	startMenu();
	startTheme();
	startLanguage();
	startSpeech(byId("spoken"));
	startDescription(byId("map-text"));
	startSheet(byId("sheet"), byId("sheet-handle", HTMLButtonElement));
	startShortcuts();
	startPrint(byId("map-frame"), byId("chart"), byId("print-link"));
	const home = byId("home-button", HTMLButtonElement);
	home.addEventListener("click", () => zoomToLayer());
	effect(() => {
		home.disabled = layer.value === null;
	});
	startLazily("share-button", async () => (await import("./share.js")).openShare());
	startLazily("help-button", async () => (await import("./help.js")).openHelp());
}

/** @param {string} id of a button @param {() => Promise<unknown>} open */
function startLazily(id, open) {
	byId(id, HTMLButtonElement).addEventListener("click", () => startPart(id, open));
}

/** Shows the panel beside the map, or gives its room to the map. */
function startPanelButton() {
	const button = byId("panel-button", HTMLButtonElement);
	button.addEventListener("click", () => {
		const isOpen = document.documentElement.dataset.panel === "closed";
		document.documentElement.dataset.panel = isOpen ? "open" : "closed";
		button.setAttribute("aria-expanded", String(isOpen));
	});
}

/** In narrow windows the tools of the header are a menu: it closes by Escape, by a choice, and by a press beside it. */
function startMenu() {
	const button = byId("menu-button", HTMLButtonElement);
	const tools = byId("tools");
	const show = (/** @type {boolean} */ isOpen) => {
		tools.toggleAttribute("data-open", isOpen);
		button.setAttribute("aria-expanded", String(isOpen));
	};
	button.addEventListener("click", () => show(!tools.hasAttribute("data-open")));
	tools.addEventListener("click", (event) => {
		const chosen = /** @type {Element} */ (event.target).closest("button");
		if (chosen && chosen.id !== "theme-button") show(false);
	});
	document.addEventListener("pointerdown", (event) => {
		const target = /** @type {Node} */ (event.target);
		if (!tools.contains(target) && !button.contains(target)) show(false);
	});
	for (const element of [button, tools]) {
		element.addEventListener("keydown", (event) => {
			if (event.key !== "Escape" || !tools.hasAttribute("data-open")) return;
			show(false);
			button.focus();
		});
	}
}

function startTheme() {
	const button = byId("theme-button", HTMLButtonElement);
	button.addEventListener("click", () => {
		chooseTheme(THEMES[(THEMES.indexOf(theme.peek()) + 1) % THEMES.length]);
	});
	effect(() => {
		const words = text(`shell.theme.${theme.value}`);
		changeIcon(button, `theme-${theme.value}`);
		button.title = words;
		button.setAttribute("aria-label", words);
		/** @type {HTMLElement} */ (button.querySelector("span")).textContent = words;
	});
	effect(() => {
		for (const meta of document.querySelectorAll("meta[name=theme-color]")) {
			meta.setAttribute("content", isDark.value ? "#151b19" : "#ffffff");
		}
	});
}

/** The page is loaded anew in another language, at the same link. */
function startLanguage() {
	const select = byId("language", HTMLSelectElement);
	const names = Object.keys(LOCALES).map((code) => {
		const option = new Option(new Intl.DisplayNames([code], { type: "language" }).of(code), code);
		option.lang = code;
		return option;
	});
	select.replaceChildren(...names);
	select.value = language();
	select.addEventListener("change", () => visit({ ...(link.peek() ?? readAddress().link), language: select.value }));
}

/**
 * Fits the map and the chart to the page before it is printed, and writes the link to it.
 * @param {HTMLElement} frame of the map
 * @param {HTMLElement} chart
 * @param {HTMLElement} place where the link is written
 */
function startPrint(frame, chart, place) {
	window.addEventListener("beforeprint", () => {
		const { width, height } = frame.getBoundingClientRect();
		const scale = Math.min(ROOM.width / width, ROOM.height / (height + chart.getBoundingClientRect().height));
		const { style } = document.documentElement;
		style.setProperty("--print-width", `${width}px`);
		style.setProperty("--print-height", `${height}px`);
		style.setProperty("--print-scale", String(Math.floor(scale * TILE_PX) / TILE_PX));
		place.textContent = withoutKey(addressOf(link.peek() ?? readAddress().link));
	});
}
