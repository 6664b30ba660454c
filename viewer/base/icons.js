/** The icons of icons.svg, for parts that make their controls themselves. */

const SVG = "http://www.w3.org/2000/svg";
const spriteUrl = () => new URL("../icons.svg", import.meta.url).href;

/**
 * Returns an icon that screen readers ignore; the control next to it has a label.
 * @param {string} name as in icons.svg
 */
export function makeIcon(name) {
	const picture = document.createElementNS(SVG, "svg");
	picture.classList.add("picture");
	picture.setAttribute("aria-hidden", "true");
	const use = document.createElementNS(SVG, "use");
	use.setAttribute("href", `${spriteUrl()}#${name}`);
	picture.append(use);
	return picture;
}

/** Shows another icon. @param {Element} control that has one @param {string} name */
export const changeIcon = (control, name) =>
	control.querySelector("use")?.setAttribute("href", `${spriteUrl()}#${name}`);
