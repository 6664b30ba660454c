/** Style sheets of the parts that are loaded when they are wanted. */

/** @type {Map<string, Promise<void>>} */
const sheets = new Map();

/**
 * Brings a style sheet into the page, once. Those of libraries come before our own, which may change what they say.
 * @param {string} path from the viewer's folder, such as `chart/chart.css`
 * @throws {Error} it could not be loaded; asking again tries again
 */
export function loadStyles(path) {
	const known = sheets.get(path);
	if (known) return known;
	const sheet = document.createElement("link");
	sheet.rel = "stylesheet";
	sheet.href = new URL(`../${path}`, import.meta.url).href;
	/** @type {Promise<void>} */
	const loaded = new Promise((resolve, reject) => {
		sheet.addEventListener("load", () => resolve());
		sheet.addEventListener("error", () => {
			sheets.delete(path);
			sheet.remove();
			reject(new Error(`the style sheet ${path} could not be loaded`));
		});
	});
	sheets.set(path, loaded);
	if (path.startsWith("vendor/")) document.head.prepend(sheet);
	else document.head.append(sheet);
	return loaded;
}
