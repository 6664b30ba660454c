/** Files that are dropped on the page, and what reads and writes files of areas, which comes when it is wanted. */
import { startPart } from "../base/parts.js";

/** @param {(transfer: typeof import("./transfer.js")) => unknown} use */
export const useTransfer = (use) => startPart("files of areas", async () => use(await import("./transfer.js")));

/** Takes files that are dropped anywhere on the page, and says where while they are held over it. @param {HTMLElement} frame that shows so */
export function startDrops(frame) {
	let depth = 0;
	const show = (/** @type {number} */ next) => {
		depth = Math.max(0, next);
		frame.toggleAttribute("data-drop", depth > 0);
	};
	const hasFiles = (/** @type {DragEvent} */ { dataTransfer }) => dataTransfer?.types.includes("Files") ?? false;
	document.addEventListener("dragenter", (event) => {
		if (hasFiles(event)) show(depth + 1);
	});
	document.addEventListener("dragleave", (event) => {
		if (hasFiles(event)) show(depth - 1);
	});
	document.addEventListener("dragover", (event) => {
		if (hasFiles(event)) event.preventDefault();
	});
	document.addEventListener("drop", (event) => {
		if (!hasFiles(event)) return;
		event.preventDefault();
		show(0);
		const files = [...(event.dataTransfer?.files ?? [])];
		void useTransfer(({ takeFiles }) => void takeFiles(files));
	});
}
