/** Comparisons in a browser: `node compare.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`, over the archive of `served.py`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { FIXTURES, isCloud, numberAt, valueAt } from "./formula.mjs";
import { FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import {
	brokenRules,
	inspect,
	linkValue,
	until,
	whenAtRest,
	whenFocused,
	whenLinkSays,
	whenNoNotices,
} from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("./formula.mjs").Cell} Cell */

const { dates } = FIXTURES.ndvi;
/** The whole layer `ndvi`, one cell per pixel, in greys that equal the numbers, over white. */
const WHOLE = "view=3.77930,51.01375,12&style=numbers&overlay=false&bgLayer=None";
/** Dates of A and of B. */
const [A, B] = [8, 0];
/** A date with many clouds. */
const CLOUDY = 5;
/** Cells without clouds at both dates. */
const CELLS = Array.from({ length: 40 }, (_, index) => ({ row: 60 + 10 * index, column: 70 + 9 * index })).filter(
	({ row, column }) => !isCloud(A, row, column) && !isCloud(B, row, column),
);

/** @param {string} mode @param {string} [more] */
const search = (mode, more = "") =>
	`?layer=ndvi&date=${dates[A]}&date2=${dates[B]}&style2=numbers&compare=${mode}&${WHOLE}${more}`;

/**
 * Waits until both sides are on the map, and all parts of the page are loaded, including the readout.
 * @param {Page} page
 */
async function whenBothShown(page) {
	await page.locator("html:not([data-loading])").waitFor();
	await page.locator("#compare-bar .modes").waitFor();
	await page.waitForFunction(() => document.querySelector("#status")?.getAttribute("data-phase") === "shown");
	await page.waitForFunction(() => document.querySelector("#map-frame")?.getAttribute("data-shown-b") === "shown");
}

/** Tiles of the layer on the map. */
const DATA = "#map .leaflet-tile-pane canvas";

/** Returns the position of the layer's upper left cell on the page. @param {Page} page */
const cornerOf = (page) =>
	page.evaluate((selector) => {
		const canvases = /** @type {NodeListOf<HTMLCanvasElement>} */ (document.querySelectorAll(selector));
		const boxes = [...canvases].filter(({ width }) => width > 1).map((canvas) => canvas.getBoundingClientRect());
		return { left: Math.min(...boxes.map(({ left }) => left)), top: Math.min(...boxes.map(({ top }) => top)) };
	}, DATA);

/**
 * Returns the visible colours of points on the page: red, green and blue, from a screenshot.
 * @param {Page} page
 * @param {{ x: number, y: number }[]} points
 * @returns {Promise<number[][]>}
 */
async function seenAt(page, points) {
	const picture = (await page.screenshot()).toString("base64");
	return page.evaluate(
		async ([data, places]) => {
			const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
			const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
			const canvas = new OffscreenCanvas(image.width, image.height);
			const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
			context.drawImage(image, 0, 0);
			return places.map(({ x, y }) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)]);
		},
		/** @type {[string, { x: number, y: number }[]]} */ ([picture, points]),
	);
}

/** Returns pairs of elements that overlap. @param {import("playwright-core").Locator} elements */
const overlapping = (elements) =>
	elements.evaluateAll((all) =>
		all.flatMap((one, index) =>
			all.slice(index + 1).flatMap((other) => {
				const [a, b] = [one, other].map((element) => element.getBoundingClientRect());
				const isApart =
					a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
				return isApart ? [] : [`${one.textContent} | ${other.textContent}`];
			}),
		),
	);

/** Returns the pixels of cells on the page. @param {Page} page @param {Cell[]} cells */
async function placesOf(page, cells) {
	const { left, top } = await cornerOf(page);
	return cells.map(({ row, column }) => ({ x: Math.round(left) + column, y: Math.round(top) + row }));
}

/** @param {number} t @param {Cell} cell */
const greyOf = (t, cell) => {
	const number = numberAt("ndvi", t, cell);
	return [number, number, number];
};

/**
 * Like `greyOf`, with reversed greys: the smallest number, 0, is as light as 250.
 * @param {number} t
 * @param {Cell} cell
 */
const reversedGreyOf = (t, cell) => greyOf(t, cell).map((grey) => 250 - Number(grey));

/**
 * Waits until cells have the colours of a rule; the map may still move below a bar of another height.
 * @param {Page} page
 * @param {Cell[]} cells
 * @param {(cell: Cell, place: { x: number, y: number }) => (number | null)[]} colourAt
 */
async function whenSeen(page, cells, colourAt) {
	let told = "";
	const isSo = async () => {
		const places = await placesOf(page, cells);
		const seen = await seenAt(page, places);
		const expected = places.map((place, index) => colourAt(cells[index], place));
		told = JSON.stringify({ seen, expected });
		return isDeepStrictEqual(seen, expected);
	};
	await until(page, isSo, () => told);
}

/**
 * Waits until all cells are those of the date that the rule returns.
 * @param {Page} page
 * @param {(place: { x: number, y: number }) => number} dateAt
 */
const whenDatesAre = (page, dateAt) => whenSeen(page, CELLS, (cell, place) => greyOf(dateAt(place), cell));

/** @param {Page} page */
const handle = (page) => page.getByRole("slider", { name: "Handle between A and B" });

/** Chooses another date for B. @param {Page} page @param {string} date */
async function chooseDateOfB(page, date) {
	await page.locator(".half[data-side=b]").click();
	await page.locator(".calendar:popover-open").getByLabel("Date", { exact: true }).fill(date);
	await page.keyboard.press("Enter");
	await whenLinkSays(page, "date2", date);
}

/** Returns the position of the handle's line on the page. @param {Page} page */
async function splitOf(page) {
	const box = await handle(page).boundingBox();
	assert.ok(box);
	return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** Minimum distance of compared cells from the handle: the line and its grip hide cells. */
const GRIP_PX = 30;

/** @param {Page} page */
async function assertSwiped(page) {
	await whenAtRest(page, "#compare-bar", "#map");
	const { x: split } = await splitOf(page);
	const all = await placesOf(page, CELLS);
	const free = CELLS.filter((_, index) => Math.abs(all[index].x - split) > GRIP_PX);
	await whenSeen(page, free, (cell, { x }) => greyOf(x < split ? A : B, cell));
	return free.length;
}

/** @param {Page} page @param {Cell} cell */
async function pointAt(page, cell) {
	await whenAtRest(page, DATA);
	const [{ x, y }] = await placesOf(page, [cell]);
	await page.mouse.move(x - 2, y + 0.5);
	await page.mouse.move(x + 0.5, y + 0.5);
}

/**
 * Asserts that two positions are equal except for the half pixel by which maps of different widths differ.
 * @param {number[]} one
 * @param {number[]} other
 */
function assertNear(one, other) {
	for (const [index, value] of one.entries()) assert.ok(Math.abs(value - other[index]) <= 1, `${one} and ${other}`);
}

/**
 * Whether a position on the page is outside of a box and its shadow.
 * @param {{ x: number, y: number }} place
 * @param {{ x: number, y: number, width: number, height: number }} box
 * @param {number} [away]
 */
const isFree = ({ x, y }, box, away = 24) =>
	x < box.x - away || x > box.x + box.width + away || y < box.y - away || y > box.y + box.height + away;

/**
 * Waits until a line of the readout has an unformatted value.
 * @param {Page} page
 * @param {string} side
 * @param {number | null} value
 */
const whenRead = (page, side, value) =>
	page.waitForFunction(
		([wantedSide, wanted]) => {
			const row = document.querySelector(`#readout [data-side="${wantedSide}"]`);
			return row instanceof HTMLElement && row.dataset.value === wanted;
		},
		[side, value === null ? "" : String(value)],
	);

await runAsCalled([
	[
		"days within periods are those periods on both sides",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=dekads&date=2023-06-30&date2=2023-05-20&compare=swipe" });
			await whenBothShown(page);
			await whenLinkSays(page, "date", "2023-06-21");
			await whenLinkSays(page, "date2", "2023-05-11");
			await whenNoNotices(page);
		},
	],
	[
		"17 left of the handle is A and right of it B, wherever pointer and keys put it",
		async ({ open, outDir }) => {
			const { page } = await open({ search: search("swipe") });
			await whenBothShown(page);
			assert.ok((await assertSwiped(page)) > 5);
			await page.screenshot({ path: join(outDir, "compare-swipe.png") });

			const { x, y } = await splitOf(page);
			await page.mouse.move(x, y);
			await page.mouse.down();
			await page.mouse.move(x - 90, y, { steps: 4 });
			await page.mouse.up();
			await until(page, async () => Math.abs((await splitOf(page)).x - (x - 90)) < 2);
			await assertSwiped(page);

			await handle(page).focus();
			await page.keyboard.press("PageDown");
			await assertSwiped(page);
			await page.keyboard.press("Home");
			await whenLinkSays(page, "split", "0");
			await assertSwiped(page);

			await page.keyboard.press("End");
			await whenLinkSays(page, "split", "1");
			await assertSwiped(page);
		},
	],
	[
		"17 a handle that lies across has A above and B below",
		async ({ open }) => {
			const { page } = await open({ search: search("swipe", "&orient=h") });
			await whenBothShown(page);

			await whenAtRest(page, DATA);
			const { y: split } = await splitOf(page);
			const all = await placesOf(page, CELLS);
			const free = CELLS.filter((_, index) => Math.abs(all[index].y - split) > GRIP_PX);
			await whenSeen(page, free, (cell, { y }) => greyOf(y < split ? A : B, cell));
		},
	],
	[
		"17 the legends of both sides are edited each for itself",
		async ({ open }) => {
			const { page } = await open({ search: search("swipe") });
			await whenBothShown(page);
			const reverse = async (/** @type {string} */ card, /** @type {string} */ palette) => {
				await page.locator(`.side-card.${card} .key`).click();
				await page.locator(`#${palette}`).click();
				await page.locator(`.palette:has(#${palette})`).getByRole("button", { name: "Reversed" }).click();
				await page.keyboard.press("Escape");
				if (card === "b") await page.keyboard.press("Escape");
				await page.locator(".key-editor").waitFor({ state: "hidden" });
			};
			await reverse("b", "palette-b");
			await whenLinkSays(page, "reversed2", "1");

			await whenAtRest(page, DATA);
			const { x: split } = await splitOf(page);
			const all = await placesOf(page, CELLS);
			const right = CELLS.filter((_, index) => all[index].x > split + GRIP_PX);
			const left = CELLS.filter((_, index) => all[index].x < split - GRIP_PX);
			await whenSeen(page, left, (cell) => greyOf(A, cell));
			await whenSeen(page, right, (cell) => reversedGreyOf(B, cell));

			await reverse("a", "palette-a");
			await whenLinkSays(page, "reversed", "1");
			await reverse("b", "palette-b");
			await whenLinkSays(page, "reversed2", null);
			await whenSeen(page, left, (cell) => reversedGreyOf(A, cell));
			await whenSeen(page, right, (cell) => greyOf(B, cell));
		},
	],
	[
		"18 side by side: what moves one map moves the other",
		async ({ open, outDir }) => {
			const { page } = await open({ search: search("side") });
			await whenBothShown(page);
			await page.screenshot({ path: join(outDir, "compare-side.png") });
			const boxes = await page.locator("#map, .map.beside").evaluateAll((maps) =>
				maps.map((map) => {
					const { left, width } = map.getBoundingClientRect();
					return { left, width };
				}),
			);
			assert.equal(boxes.length, 2);
			assert.ok(Math.abs(boxes[0].width - boxes[1].width) <= 2);

			const corners = () =>
				page.locator("#map, .map.beside").evaluateAll((maps) =>
					maps.map((map) => {
						const canvases = [
							.../** @type {NodeListOf<HTMLCanvasElement>} */ (map.querySelectorAll(".data-tiles canvas")),
						];
						const boxes = canvases.filter(({ width }) => width > 1).map((canvas) => canvas.getBoundingClientRect());
						const frame = map.getBoundingClientRect();
						const corner = [Math.min(...boxes.map(({ left }) => left)), Math.min(...boxes.map(({ top }) => top))];
						return [Math.round(corner[0] - frame.left), Math.round(corner[1] - frame.top)];
					}),
				);
			await whenAtRest(page, DATA);
			const before = await corners();
			assertNear(before[0], before[1]);
			const { left, width } = boxes[1];
			await page.mouse.move(left + width / 2, 400);
			await page.mouse.down();
			await page.mouse.move(left + width / 2 - 60, 360, { steps: 5 });
			await page.mouse.up();
			await page.waitForFunction(
				(old) => new URLSearchParams(window.location.search).get("view") !== old,
				"3.7793,51.01375,12",
			);
			await whenAtRest(page, DATA);
			const after = await corners();
			assertNear(after[0], after[1]);
			assert.notDeepEqual(after[0], before[0]);

			await page.mouse.wheel(0, -200);
			await page.waitForFunction(() => !new URLSearchParams(window.location.search).get("view")?.endsWith(",12"));
			await whenBothShown(page);
			await whenAtRest(page, DATA);
			const zoomed = await corners();
			assertNear(zoomed[0], zoomed[1]);
			assert.notDeepEqual(zoomed[0], after[0]);

			await page.mouse.click(left + width / 2, 400);
			await page.locator("#chart .place-name").waitFor();
			await until(page, () => linkValue(page, "pt") !== null);
		},
	],
	[
		"18 a second map that is gone takes part in nothing any more",
		async ({ open }) => {
			const { page } = await open({ search: search("side") });
			await whenBothShown(page);
			await page.locator(".modes").selectOption("swipe");
			await page.locator(".map.beside").waitFor({ state: "detached" });
			await page.locator("#ground-button").click();
			await page.locator("#background").selectOption("NaturalEarth");
			await whenLinkSays(page, "bgLayer", "NaturalEarth");
			await page.locator("#background").selectOption("None");
			await whenLinkSays(page, "bgLayer", "None");

			await whenSeen(page, CELLS.slice(0, 1), (cell) => greyOf(A, cell));
			assert.equal(linkValue(page, "view"), "3.7793,51.01375,12");
		},
	],
	[
		"18 a difference is the later date less the earlier one, exactly where both have a value, and hatched elsewhere",
		async ({ open, outDir }) => {
			const { page } = await open({ search: search("diff") });
			await whenBothShown(page);
			await page.screenshot({ path: join(outDir, "compare-difference.png") });

			for (const cell of CELLS.slice(0, 8)) {
				await pointAt(page, cell);
				const [a, b] = [valueAt("ndvi", A, cell), valueAt("ndvi", B, cell)].map(Number);
				await whenRead(page, "difference", a - b);
				await whenRead(page, "a", a);
				await whenRead(page, "b", b);
			}
			const cells = Array.from({ length: 200 }, (_, index) => ({ row: 100 + index, column: 60 + 2 * index }));
			const cloudy = cells.find(({ row, column }) => isCloud(CLOUDY, row, column));
			assert.ok(cloudy);
			await chooseDateOfB(page, dates[CLOUDY]);
			await whenBothShown(page);
			await pointAt(page, cloudy);
			await whenRead(page, "difference", null);
			// The background, which is white here, is visible through the grey; no difference is lighter.
			await page.mouse.move(5, 5);
			await until(page, async () => {
				const row = Array.from({ length: 8 }, (_, index) => ({ row: cloudy.row, column: cloudy.column + index }));
				const greys = await seenAt(page, await placesOf(page, row));
				return greys.every(([red, green, blue]) => red < 230 && red === green && green === blue);
			});
		},
	],
	[
		"18 classes, pictures and values of other units have no difference: that is said, and both sides are shown",
		async ({ open }) => {
			for (const other of ["classes", "rgb", "hours"]) {
				const { page } = await open({ search: `${search("diff")}&layer2=${other}` });
				await whenLinkSays(page, "compare", "swipe");
				await page.getByText("These two have no difference").waitFor();
				await whenBothShown(page);
				await pointAt(page, CELLS[0]);
				await whenRead(page, "a", valueAt("ndvi", A, CELLS[0]));
				assert.equal(await page.locator("#readout [data-side=difference]").count(), 0);
				assert.ok(await page.locator("#compare-bar option[value=diff]").isDisabled());
			}
			const { page } = await open({ search: search("diff").replace("layer=ndvi", "layer=classes") });
			await page.getByText("These two have no difference").waitFor();
			await whenLinkSays(page, "compare", "swipe");

			const usual = await open({ search: "?layer=classes&date=2019-02-25&compare=side&date2=usual" });
			await usual.page.getByText("What is usual cannot be shown for Classes.").waitFor();
			await whenLinkSays(usual.page, "date2", "2019-02-25");
		},
	],
	[
		"18 colours of a difference diverge from 0 and reach as far as is typed",
		async ({ open }) => {
			const { page } = await open({ search: search("diff") });
			await whenBothShown(page);
			const positive = CELLS.find((cell) => Number(valueAt("ndvi", A, cell)) > Number(valueAt("ndvi", B, cell)));
			const negative = CELLS.find((cell) => Number(valueAt("ndvi", A, cell)) < Number(valueAt("ndvi", B, cell)));
			assert.ok(positive && negative);
			// The colours of differences are loaded separately.
			const areApart = async () => {
				const [above, below] = await seenAt(page, await placesOf(page, [positive, negative]));
				return !isDeepStrictEqual(above, below);
			};
			await until(page, areApart, () => "more and less have other colours");

			await page.locator(".side-card:not([hidden]) .key").click();
			await page.getByRole("spinbutton", { name: /difference colours/ }).fill("0.01");
			await page.keyboard.press("Enter");
			await page.keyboard.press("Escape");
			const legend = await (
				await fetch(new URL("tiles/ndvi/legend.json?ramp=difference", page.url().split("viewer/")[0]))
			).json();
			const rgb = (/** @type {string} */ colour) =>
				[1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
			await whenSeen(page, [positive, negative], (cell) => rgb(cell === positive ? legend.above : legend.below));
		},
	],
	[
		"18 a fade mixes both, and the lens shows B round the pointer",
		async ({ open, outDir }) => {
			const { page } = await open({ search: search("opacity", "&split=1") });
			await whenBothShown(page);
			await whenDatesAre(page, () => B);
			await page.getByRole("slider", { name: "Opacity of B" }).press("Home");
			await whenDatesAre(page, () => A);

			await page.locator(".modes").selectOption("spy");
			await whenAtRest(page, DATA);
			const [middle] = await placesOf(page, [CELLS[Math.floor(CELLS.length / 2)]]);
			await page.mouse.move(middle.x - 3, middle.y);
			await page.mouse.move(middle.x, middle.y);
			await whenAtRest(page, DATA, "#readout");
			const RADIUS = 110;
			const all = await placesOf(page, CELLS);
			const readout = await page.locator("#readout").boundingBox();
			assert.ok(readout);
			const clear = CELLS.filter((_, index) => {
				const away = Math.hypot(all[index].x - middle.x, all[index].y - middle.y);
				return Math.abs(away - RADIUS) > 4 && isFree(all[index], readout);
			});
			await whenSeen(page, clear, (cell, { x, y }) =>
				greyOf(Math.hypot(x - middle.x, y - middle.y) < RADIUS ? B : A, cell),
			);
			await page.screenshot({ path: join(outDir, "compare-lens.png") });

			await page.locator("#map").focus();
			await page.keyboard.press("ArrowRight");
			await whenAtRest(page, DATA, "#readout");
			const frame = await page.locator("#map").boundingBox();
			assert.ok(frame);
			const [x, y] = [frame.x + frame.width / 2, frame.y + frame.height / 2];
			const moved = await placesOf(page, CELLS);
			const told = await page.locator("#readout").boundingBox();
			assert.ok(told);
			const around = CELLS.filter((_, index) => {
				const away = Math.hypot(moved[index].x - x, moved[index].y - y);
				return Math.abs(away - RADIUS) > 4 && away > 30 && isFree(moved[index], told);
			});
			assert.ok(
				(await placesOf(page, around)).some((place) => Math.hypot(place.x - x, place.y - y) < RADIUS),
				"no cell is under the lens",
			);
			await whenSeen(page, around, (cell, place) =>
				greyOf(Math.hypot(place.x - x, place.y - y) < RADIUS ? B : A, cell),
			);
		},
	],
	[
		"19 both sides move through time in step, by hand and by playing",
		async ({ open }) => {
			const { page } = await open({ search: search("swipe") });
			await whenBothShown(page);
			await page.getByRole("button", { name: "Next date", exact: true }).click();
			await whenLinkSays(page, "date", dates[A + 1]);
			await whenLinkSays(page, "date2", dates[B + 1]);

			await chooseDateOfB(page, dates[B + 2]);
			await whenLinkSays(page, "date", dates[A + 1]);
			await page.getByRole("button", { name: "Previous date", exact: true }).click();
			await whenLinkSays(page, "date2", dates[B + 1]);

			// Runs in the page, so that playback does not start again before the press.
			const pausing = page.evaluate(
				(count) =>
					new Promise((resolve) => {
						let left = count;
						const look = new MutationObserver(() => {
							left -= 1;
							if (left > 0) return;
							look.disconnect();
							/** @type {HTMLElement} */ (document.querySelector("#timeline [data-part=play]")).click();
							resolve(null);
						});
						const shown = /** @type {Element} */ (document.querySelector("[data-part=date-text]"));
						look.observe(shown, { childList: true });
					}),
				4,
			);
			await page.locator("#timeline").getByRole("button", { name: "Play", exact: true }).click();
			await pausing;
			await page.locator("#timeline").getByRole("button", { name: "Play", exact: true }).waitFor();
			await page.waitForFunction((date) => new URLSearchParams(window.location.search).get("date") !== date, dates[A]);
			await whenAtRest(page);
			const apart = async () =>
				dates.indexOf(linkValue(page, "date") ?? "") - dates.indexOf(linkValue(page, "date2") ?? "");
			await whenLinkSays(page, "date2", dates[dates.indexOf(linkValue(page, "date") ?? "") - (A - B - 1)]);
			assert.equal(await apart(), A - B - 1);
		},
	],
	[
		"a comparison that waits for its layer gives way to a newer one, and to its end",
		async ({ open }) => {
			const { page } = await open({ search: search("swipe"), allowed: FAILED_REQUEST });
			await whenBothShown(page);
			await inspect(page);
			const found = await page.evaluate(async () => {
				const { compare, stopComparing, compareMode, sideB } = /** @type {any} */ (window).parts;
				stopComparing();
				// A layer that is not in the list is requested from the server.
				const older = compare("swipe", { layer: "an-alias" });
				await compare("side");
				const newer = sideB.peek();
				await older;
				const isNewer = sideB.peek() === newer && compareMode.peek() === "side";
				stopComparing();
				const late = compare("swipe", { layer: "an-alias" });
				stopComparing();
				await late;
				return { isNewer, isEnded: sideB.peek() === null };
			});

			assert.deepEqual(found, { isNewer: true, isEnded: true });
		},
	],
	[
		"33 a comparison breaks no accessibility rule, and closing it gives all back",
		async ({ open }) => {
			const { page } = await open({ search: search("swipe") });
			await whenBothShown(page);
			assert.deepEqual(await brokenRules(page), []);

			await page.getByRole("button", { name: "End the comparison" }).click();
			await whenLinkSays(page, "compare", null);
			await whenLinkSays(page, "date2", null);
			await whenDatesAre(page, () => A);
			await whenFocused(page, "compare-button");
		},
	],
	[
		"32 on a phone the controls of a comparison lie beside one another, and the sides' names below the search",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `${search("swipe")}&language=fr`, width: 360, height: 740 });
			await whenBothShown(page);
			const controls = page.locator("#compare-bar > :is(.modes, .menu, .icon), #compare-bar .half");
			assert.deepEqual(await overlapping(controls), []);
			const boxes = await controls.evaluateAll((all) => all.map((each) => each.getBoundingClientRect().toJSON()));
			const middles = boxes.map(({ top, height }) => top + height / 2);
			assert.ok(Math.max(...middles) - Math.min(...middles) < 4, "they are one row");
			assert.ok(boxes.every(({ left, right }) => left >= 0 && right <= 360));
			await page.screenshot({ path: join(outDir, "phone-modes.png") });
			const searchBox = await page.locator("#search").boundingBox();
			const names = await page
				.locator(".side-card:not([hidden])")
				.evaluateAll((all) => all.map((card) => card.getBoundingClientRect().toJSON()));
			assert.equal(names.length, 2);
			assert.ok(searchBox && Math.min(...names.map(({ top }) => top)) >= searchBox.y + searchBox.height);
			const grip = await page.locator(".swipe .grip").boundingBox();
			assert.ok(grip);
			const split = grip.x + grip.width / 2;
			assert.ok(names[0].right < split && names[1].left > split, "the line runs through no card");
		},
	],
]);
