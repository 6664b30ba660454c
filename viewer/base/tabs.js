/** Tabs over the views of a drawer (ARIA's tab pattern: arrows choose, one stop of Tab). */
import { make, runKey } from "./elements.js";

/** @template {string} T @typedef {{ id: T, label: string, panel: HTMLElement }} View */

/**
 * @template {string} T
 * @param {string} label of all
 * @param {View<T>[]} views
 * @param {(id: T) => void} show
 * @param {T} [first] that is shown at first
 * @returns {{ list: HTMLElement, choose: (id: T) => void }}
 */
export function makeTabs(label, views, show, first = views[0].id) {
	const choose = (/** @type {T} */ id) => {
		for (const [index, view] of views.entries()) {
			const isChosen = view.id === id;
			tabs[index].setAttribute("aria-selected", String(isChosen));
			tabs[index].tabIndex = isChosen ? 0 : -1;
			view.panel.hidden = !isChosen;
		}
		show(id);
	};
	const tabs = views.map(({ id, label: words, panel }) => {
		panel.id = `chart-view-${id}`;
		panel.setAttribute("role", "tabpanel");
		panel.setAttribute("aria-label", words);
		const onclick = () => choose(id);
		return make("button", { role: "tab", "aria-controls": panel.id, onclick }, words);
	});
	const list = make("div", { class: "chart-tabs", role: "tablist", "aria-label": label }, ...tabs);
	list.addEventListener("keydown", (event) => {
		const at = tabs.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
		const goTo = (/** @type {number} */ place) => () => {
			const next = (place + tabs.length) % tabs.length;
			choose(views[next].id);
			tabs[next].focus();
		};
		const acts = { ArrowLeft: goTo(at - 1), ArrowRight: goTo(at + 1), Home: goTo(0), End: goTo(tabs.length - 1) };
		if (at >= 0) runKey(event, acts);
	});
	choose(first);
	return { list, choose };
}
