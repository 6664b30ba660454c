/**
 * The time axis in a browser: `node timeline.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`, over the archive of `served.py`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { centreOf, FIXTURES, isCloud, lastNumberAt, numberAt, validShare } from "./formula.mjs";
import { answerJson, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import {
	brokenRules,
	chooseLayer,
	inNoTime,
	linkValue,
	ofData,
	until,
	whenAtRest,
	whenCounted,
	whenLinkSays,
	whenNoNotices,
	whenNotice,
	whenShown as whenPlaced,
} from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("./formula.mjs").Cell} Cell */

const { dates } = FIXTURES.ndvi;
/** The whole layer `ndvi`, one cell per pixel, over white. */
const WHOLE = "view=3.77930,51.01375,12&style=numbers&overlay=false&bgLayer=None";
/** Half the height of the bars, from the strip's upper edge. */
const BARS_PX = 35;
/** Left and right of the bars, as in strip-painter.js. */
const SIDE_PX = 8;

/** @param {Page} page */
async function whenShown(page) {
	await whenPlaced(page);
	await page.locator(".strip-slider[aria-valuetext][aria-valuemax]").waitFor();
}

/**
 * Requests all dates by pointing at the strip, and waits until all their cells are loaded.
 * @param {Page} page
 * @param {number} count
 */
async function loadAll(page, count) {
	await slider(page).hover({ position: { x: 20, y: BARS_PX } });
	await page.locator(`.strip[data-full="${count}"]`).waitFor();
}

/** @param {Page} page */
const slider = (page) => page.getByRole("slider", { name: /^Date/ });

/** Returns the index of the slider's date. @param {Page} page */
const indexNow = async (page) => Number(await slider(page).getAttribute("aria-valuenow"));

/** @param {Page} page @param {string} key @param {string} date */
async function press(page, key, date) {
	await slider(page).press(key);
	await whenLinkSays(page, "date", date);
}

/** Returns the positions of all bars on the page. @param {Page} page @param {number} count */
async function barPlaces(page, count) {
	const box = await slider(page).boundingBox();
	assert.ok(box);
	const slot = (box.width - 2 * SIDE_PX) / count;
	return Array.from({ length: count }, (_, index) => ({
		x: box.x + SIDE_PX + (index + 0.5) * slot,
		y: box.y + BARS_PX,
	}));
}

/**
 * Presses at one place of the strip and moves on to another: it is a drag then, and no press that is held.
 * @param {Page} page
 * @param {{ x: number, y: number }} from
 * @param {{ x: number, y: number }} to
 */
async function beginDrag(page, from, to) {
	await page.mouse.move(from.x, from.y);
	await inNoTime(page, async () => {
		await page.mouse.down();
		await page.mouse.move(to.x, to.y);
	});
}

/**
 * Returns the greys of cells of `ndvi` on the map of WHOLE; null if transparent.
 * @param {Page} page
 * @param {Cell[]} cells
 * @returns {Promise<(number | null)[]>}
 */
const greysAt = (page, cells) =>
	page.evaluate((wanted) => {
		const canvases = [
			.../** @type {NodeListOf<HTMLCanvasElement>} */ (document.querySelectorAll(".data-tiles canvas")),
		];
		// Tiles around the layer are empty.
		const full = canvases.filter(({ width }) => width > 1);
		const placed = full.map((canvas) => ({ canvas, box: canvas.getBoundingClientRect() }));
		const left = Math.min(...placed.map(({ box }) => box.left));
		const top = Math.min(...placed.map(({ box }) => box.top));
		return wanted.map(({ row, column }) => {
			const [tileX, tileY] = [left + 256 * Math.floor(column / 256), top + 256 * Math.floor(row / 256)];
			const found = placed.find(({ box }) => Math.abs(box.left - tileX) < 1 && Math.abs(box.top - tileY) < 1);
			const [red, , , alpha] = found?.canvas.getContext("2d")?.getImageData(column % 256, row % 256, 1, 1).data ?? [];
			return alpha === 255 ? red : null;
		});
	}, cells);

/**
 * Waits until cells of `ndvi` have these greys on the map of WHOLE.
 * @param {Page} page
 * @param {Cell[]} cells
 * @param {(number | null)[]} expected
 */
async function whenGreysAre(page, cells, expected) {
	/** @type {(number | null)[]} */
	let found = [];
	const isSo = async () => {
		found = await greysAt(page, cells);
		return isDeepStrictEqual(found, expected);
	};
	await until(page, isSo, () => `greys ${expected}, but ${found}`);
}

/** Returns the visible fraction of all dates on the strip, as a CSS width. @param {Page} page */
const thumbWidth = (page) => page.locator("[data-part=thumb]").evaluate((thumb) => thumb.style.width);

/** Returns a date in the format of its button. @param {number} index of `ndvi` */
function short(index) {
	return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }).format(
		Date.parse(dates[index]),
	);
}

/** @param {Page} page */
const buttons = (page) => ({
	play: page.locator("#timeline").getByRole("button", { name: "Play", exact: true }),
	pause: page.locator("#timeline").getByRole("button", { name: "Pause", exact: true }),
});

/** @param {Page} page */
const dateNow = (page) => page.locator("[data-part=date-text]").textContent();

/** @param {Page} page @param {string} date as `short` has it */
const whenDateIs = (page, date) =>
	page.waitForFunction((wanted) => document.querySelector("[data-part=date-text]")?.textContent === wanted, date);

/** Records each date that is shown from now on. @param {Page} page @returns {() => Promise<string[]>} what was noted */
function collectDates(page) {
	const started = page.evaluate(() => {
		/** @type {any} */ (window).seenDates = [];
		const shown = /** @type {Element} */ (document.querySelector("[data-part=date-text]"));
		new MutationObserver(() => /** @type {any} */ (window).seenDates.push(shown.textContent)).observe(shown, {
			childList: true,
		});
	});
	return async () => {
		await started;
		return page.evaluate(() => /** @type {any} */ (window).seenDates);
	};
}

/**
 * Waits until dates have been shown in this order; each may have been visible for less than a frame.
 * @param {Page} page @param {() => Promise<string[]>} seen @param {...string} wanted
 */
const whenPassed = (page, seen, ...wanted) =>
	until(page, async () => {
		let left = wanted;
		for (const date of await seen()) if (date === left[0]) left = left.slice(1);
		return left.length === 0;
	});

/** Returns the fraction of `ndvi` with data at a date. @param {number} t */
const shareOf = (t) => validShare("ndvi", t);

const CELLS = Array.from({ length: 12 }, (_, index) => ({ row: 20 + 40 * index, column: 500 - 41 * index }));

await runAsCalled([
	[
		"5 drag over 73 dates asks nothing, and shows every one",
		async ({ base, open, outDir }) => {
			await whenCounted(base, "ndvi");
			const { page, requests } = await open({ search: `?layer=ndvi&date=${dates[0]}&${WHOLE}` });
			await whenShown(page);
			await loadAll(page, 73);
			const places = await barPlaces(page, 73);
			const before = requests.length;
			await beginDrag(page, places[0], places[2]);
			for (const [index, { x, y }] of places.entries()) {
				await page.mouse.move(x, y);
				await page.waitForFunction(
					(date) => document.querySelector("[data-part=date-text]")?.textContent === date,
					short(index),
				);
				await whenGreysAre(
					page,
					CELLS,
					CELLS.map((cell) => numberAt("ndvi", index, cell)),
				);
			}
			const during = ofData(requests.slice(before));
			await page.screenshot({ path: join(outDir, "dragged.png") });
			await page.mouse.up();

			assert.deepEqual(during, []);
			await whenLinkSays(page, "date", dates[72]);
		},
	],
	[
		"5 a drag through an inner year of another layer asks for that year alone, and for nothing once it is there",
		async ({ open }) => {
			const { page, requests } = await open({ search: `?layer=ndvi&date=${dates[0]}&overlay=false` });
			await whenShown(page);
			await chooseLayer(page, "ndvi_years");
			await whenDateIs(page, short(0));
			await page.locator("#status[data-phase=shown]").waitFor();
			/** Returns the position of a day on the strip, which is linear in time. @param {string} day */
			const placeOf = async (day) => {
				const box = await slider(page).boundingBox();
				assert.ok(box);
				const [first, last, at] = ["2018-01-01", "2020-12-26", day].map((each) => Date.parse(each));
				const slot = (box.width - 2 * SIDE_PX) / 219;
				return { x: box.x + SIDE_PX + (0.5 + (218 * (at - first)) / (last - first)) * slot, y: box.y + BARS_PX };
			};
			const [start, end, beyond] = await Promise.all(["2019-01-05", "2019-12-27", "2020-01-20"].map(placeOf));
			// Cold: the pointer arrives and presses immediately.
			await page.mouse.move(start.x, start.y);
			await page.mouse.down();
			await page.mouse.move(start.x + 5, start.y);
			const cold = requests.length;
			for (let step = 0; step <= 20; step += 1) {
				await page.mouse.move(start.x + (step / 20) * (end.x - start.x), start.y);
			}
			const drags = requests.slice(cold);
			// At rest the year below the pointer is loaded, and no other one.
			await page.locator('.strip[data-full="73"]').waitFor();
			await whenDateIs(page, "27 Dec 2019");
			const rested = requests.slice(cold);
			await page.mouse.move(end.x - 40, end.y, { steps: 4 });
			await page.mouse.move(end.x, end.y, { steps: 4 });
			await page.mouse.move(beyond.x, beyond.y, { steps: 4 });
			const atEnd = requests.slice(cold + rested.length);
			await page.mouse.up();
			await page.locator('.strip[data-full="146"]').waitFor();

			const cubes = (/** @type {string[]} */ urls) => urls.filter((url) => url.includes("/cubes/"));
			assert.deepEqual(
				cubes(drags).filter((url) => !url.includes("2019-01-01/2019-12-31")),
				[],
			);
			assert.deepEqual(
				cubes(rested).filter((url) => !url.includes("2019-01-01/2019-12-31")),
				[],
			);
			assert.deepEqual(ofData(atEnd), []);
		},
	],
	[
		"5 a drag of a composite asks for no picture before the pointer rests",
		async ({ open }) => {
			const { page, requests } = await open({ search: `?layer=rgb&date=2019-01-01&${WHOLE}` });
			await whenShown(page);
			const places = await barPlaces(page, 12);
			await whenAtRest(page);
			const pictures = () => requests.filter((url) => url.includes(".png"));
			await page.mouse.move(places[0].x, places[0].y);
			await page.clock.install();
			await page.clock.pauseAt(new Date(Date.now() + 60_000));
			await page.mouse.down();
			const before = pictures().length;
			for (const { x, y } of places.slice(1, 10)) {
				await page.mouse.move(x, y);
				await page.clock.runFor(50);
			}
			await whenDateIs(page, short(9));
			assert.deepEqual(pictures().slice(before), []);
			await page.clock.runFor(1000);
			await until(page, () =>
				pictures()
					.slice(before)
					.some((url) => url.includes(dates[9])),
			);
			assert.ok(
				pictures()
					.slice(before)
					.every((url) => !url.includes(dates[6])),
			);
			await page.mouse.up();
		},
	],
	[
		"5 a drag is one step back in history",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[0]}` });
			await whenShown(page);
			await loadAll(page, 73);
			const places = await barPlaces(page, 73);
			await beginDrag(page, places[3], places[4]);
			await page.mouse.move(places[20].x, places[20].y, { steps: 10 });
			await page.mouse.move(places[40].x, places[40].y, { steps: 10 });
			await page.mouse.up();
			await whenLinkSays(page, "date", dates[40]);
			await page.goBack();
			await whenLinkSays(page, "date", dates[0]);
		},
	],
	[
		"5 a pointer that rests on the strip and goes on is a drag, and brings no other years",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[0]}` });
			await whenShown(page);
			const places = await barPlaces(page, 73);
			await page.mouse.move(places[3].x, places[3].y);
			await page.clock.install();
			await page.mouse.down();
			await page.clock.runFor(5000);
			await page.mouse.move(places[3].x + 3, places[3].y);
			await page.mouse.move(places[20].x, places[20].y);
			await page.clock.runFor(100);
			await whenDateIs(page, short(20));
			await page.clock.resume();
			await page.mouse.up();
			await whenLinkSays(page, "date", dates[20]);
			assert.equal(await page.locator(".lens").count(), 0);
		},
	],
	[
		"5 a drag of ten pixels a second is a drag",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[0]}` });
			await whenShown(page);
			const places = await barPlaces(page, 73);
			await page.mouse.move(places[10].x, places[10].y);
			await page.clock.install();
			await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 60_000);
			await page.mouse.down();
			for (let px = 1; px <= 30; px += 1) {
				await page.mouse.move(places[10].x + px, places[10].y);
				await page.clock.runFor(100);
			}
			const moved = await indexNow(page);
			await page.mouse.up();
			await page.clock.resume();

			assert.ok(moved > 10, `date ${moved}`);
		},
	],
	[
		"6 keys on the strip move by date, month, year and to the ends",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[10]}` });
			await whenShown(page);

			assert.equal(await slider(page).getAttribute("aria-valuemax"), "72");
			assert.match((await slider(page).getAttribute("aria-valuetext")) ?? "", /^20 February 2019/);
			await press(page, "ArrowRight", dates[11]);
			assert.match((await slider(page).getAttribute("aria-valuetext")) ?? "", /^25 February 2019/);
			await press(page, "ArrowLeft", dates[10]);
			await press(page, "PageUp", "2019-03-22");
			await press(page, "PageDown", "2019-02-20");
			await press(page, "Home", dates[0]);
			assert.ok(await page.getByRole("button", { name: "Previous date" }).isDisabled());
			await press(page, "End", dates[72]);
			assert.ok(await page.getByRole("button", { name: "Next date" }).isDisabled());
			await page.getByRole("button", { name: "Previous date" }).click();
			await whenLinkSays(page, "date", dates[71]);
		},
	],
	[
		"6 Shift and Page Up go to the next year",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi_years&date=2018-03-02" });
			await whenShown(page);
			await press(page, "Shift+PageUp", "2019-03-02");
			await press(page, "Shift+PageUp", "2020-03-01");
			await press(page, "Shift+PageDown", "2019-03-02");
		},
	],
	[
		"7 the calendar has the days with data, by mouse and by keys",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[10]}` });
			await whenShown(page);
			await page.getByRole("button", { name: "20 Feb 2019" }).click();
			const calendar = page.getByRole("dialog", { name: "Calendar" });
			await calendar.waitFor();

			const enabled = await calendar.locator("td:not(.outside):not([aria-disabled=true])").allTextContents();
			assert.deepEqual(enabled, ["5", "10", "15", "20", "25"]);
			assert.equal(await calendar.locator("td[aria-selected=true]").textContent(), "20");
			await page.screenshot({ path: join(outDir, "calendar.png") });
			await calendar.getByRole("gridcell", { name: /21 February 2019, no data/ }).click({ force: true });
			assert.ok(await calendar.isVisible());

			await calendar.locator("td[tabindex='0']").focus();
			await page.keyboard.press("ArrowDown");
			await page.keyboard.press("Home");
			await page.keyboard.press("Enter");
			await calendar.waitFor({ state: "hidden" });
			await whenLinkSays(page, "date", "2019-02-25");
			await page.waitForFunction(() => document.activeElement?.getAttribute("data-part") === "date");

			await page.keyboard.press("Enter");
			await calendar.waitFor();
			await page.keyboard.press("PageUp");
			assert.equal(await calendar.getByRole("combobox", { name: "Month" }).inputValue(), "0");
			await page.keyboard.press("Escape");
			await calendar.waitFor({ state: "hidden" });
			assert.equal(linkValue(page, "date"), "2019-02-25");
		},
	],
	[
		"7 months and years without data cannot be chosen",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=flagged&date=2019-01-01" });
			await whenShown(page);
			await page.getByRole("button", { name: "1 Jan 2019" }).click();
			const calendar = page.getByRole("dialog", { name: "Calendar" });
			const months = calendar.getByRole("combobox", { name: "Month" });

			const possible = months.locator("option:not([disabled])");
			await possible.last().waitFor({ state: "attached" });
			assert.deepEqual(await possible.allTextContents(), ["January", "February"]);
			assert.deepEqual(await calendar.getByRole("combobox", { name: "Year" }).locator("option").allTextContents(), [
				"2019",
			]);
			await months.selectOption("February");
			await calendar.getByRole("gridcell", { name: /20 February 2019/ }).click();
			await whenLinkSays(page, "date", "2019-02-20");
		},
	],
	[
		"7 a typed date snaps to the nearest with a notice, and nonsense is refused",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[10]}` });
			await whenShown(page);
			await page.getByRole("button", { name: "20 Feb 2019" }).click();
			const field = page.getByRole("textbox", { name: "Date" });
			await field.fill("the fourth of June");
			await field.press("Enter");
			await page.getByText("That is not a date.").waitFor();
			assert.equal(await field.getAttribute("aria-invalid"), "true");

			await field.fill("8/6/2019");
			await field.press("Enter");
			await whenLinkSays(page, "date", "2019-06-10");
			await whenNotice(page, /no data for 8 June 2019; the nearest date is 10 June 2019/);

			await page.getByRole("button", { name: "10 Jun 2019" }).click();
			await field.fill("2019-06-05");
			await field.press("Enter");
			await whenLinkSays(page, "date", "2019-06-05");
			await whenNoNotices(page);
		},
	],
	[
		"what is played may begin and end with a month, a year or a day within a period",
		async ({ open }) => {
			for (const [from, to, first, last] of [
				["2023-04", "2023-07", "2023-04-01", "2023-07-21"],
				["2023-06-05", "2023", "2023-06-01", "2023-08-21"],
				["2023-06-05", "2023-06-30", "2023-06-01", "2023-06-21"],
			]) {
				const { page } = await open({ search: `?layer=dekads&from=${from}&to=${to}` });
				await whenShown(page);
				await whenNoNotices(page);
				await page.getByRole("button", { name: "Play settings" }).click();
				const shown = ["From", "To"].map((name) => page.getByRole("textbox", { name, exact: true }).inputValue());
				assert.deepEqual(await Promise.all(shown), [first, last]);
				await whenLinkSays(page, "from", from);
				await whenLinkSays(page, "to", to);
			}
			const { page } = await open({ search: "?layer=dekads" });
			await whenShown(page);
			await page.getByRole("button", { name: "Play settings" }).click();
			await page.getByRole("textbox", { name: "From", exact: true }).fill("2023-05");
			await page.getByRole("textbox", { name: "To", exact: true }).fill("2023-06-29");
			await page.getByRole("textbox", { name: "To", exact: true }).press("Tab");
			await whenLinkSays(page, "to", "2023-06-29");
			await whenLinkSays(page, "from", "2023-05-01");
		},
	],
	[
		"5 one finger drags through time, two zoom the strip, two taps ask for other years",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi_years&date=2018-01-01", width: 360, height: 640 });
			await whenShown(page);
			const session = await page.context().newCDPSession(page);
			await session.send("Emulation.setTouchEmulationEnabled", { enabled: true, maxTouchPoints: 2 });
			const touch = (/** @type {"touchStart" | "touchMove" | "touchEnd"} */ type, /** @type {number[]} */ ...xs) =>
				session.send("Input.dispatchTouchEvent", { type, touchPoints: xs.map((x, id) => ({ x, y, id })) });
			const box = await slider(page).boundingBox();
			assert.ok(box);
			const y = box.y + BARS_PX;
			const at = (/** @type {number} */ share) => box.x + share * box.width;

			await inNoTime(page, async () => {
				await touch("touchStart", at(0.2));
				await touch("touchMove", at(0.3));
			});
			await touch("touchMove", at(0.5));
			await touch("touchEnd");
			await whenAtRest(page);
			const dragged = await indexNow(page);
			assert.ok(dragged > 30 && dragged < 80, `date ${dragged}`);

			const count = async () => Number.parseFloat(await thumbWidth(page));
			const before = await count();
			await inNoTime(page, async () => {
				await touch("touchStart", at(0.45));
				await touch("touchStart", at(0.45), at(0.55));
			});
			await touch("touchMove", at(0.35), at(0.65));
			await touch("touchMove", at(0.2), at(0.8));
			await touch("touchEnd");
			await until(
				page,
				async () => (await count()) < before / 2,
				() => "the strip is zoomed",
			);

			for (let tap = 0; tap < 2; tap += 1) {
				await touch("touchStart", at(0.5));
				await touch("touchEnd");
			}
			await page.getByRole("dialog", { name: "The same time in other years" }).waitFor();
		},
	],
	[
		"8 playing goes through the dates, pauses, and begins again",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[69]}&fps=20` });
			await whenShown(page);
			await loadAll(page, 73);
			const { play, pause } = buttons(page);
			const seen = collectDates(page);
			await play.click();
			await whenPassed(page, seen, short(71), short(1));
			await pause.click();
			const paused = await dateNow(page);
			await whenAtRest(page);
			assert.equal(await dateNow(page), paused);
			assert.ok(await play.isVisible());
		},
	],
	[
		"8 playing without a loop ends at the end, and asks nothing on its way",
		async ({ base, open }) => {
			await whenCounted(base, "ndvi");
			// Without names of towns, which are requested whenever the map has been at rest for a second.
			const { page, requests } = await open({
				search: `?layer=ndvi&date=${dates[60]}&fps=20&loop=0&overlay=false`,
			});
			await whenShown(page);
			await loadAll(page, 73);
			const before = requests.length;
			await buttons(page).play.click();
			await whenDateIs(page, short(72));
			assert.deepEqual(ofData(requests.slice(before)), []);
			await buttons(page).play.waitFor();
			await whenLinkSays(page, "date", dates[72]);

			const seen = collectDates(page);
			await buttons(page).play.click();
			await buttons(page).play.waitFor();
			await whenLinkSays(page, "date", dates[72]);
			assert.deepEqual((await seen()).slice(0, 4), [0, 1, 2, 3].map(short));
		},
	],
	[
		"8 a link says what is played: period, speed, steps and gaps",
		async ({ open }) => {
			const asked = { from: dates[8], to: dates[40], fps: "12", step: "2", gaps: "skip", loop: "0" };
			const { page } = await open({ search: `?layer=ndvi&date=${dates[8]}&${new URLSearchParams(asked)}` });
			await whenShown(page);
			await loadAll(page, 73);
			const clear = dates.map((_, t) => t).filter((t) => t >= 8 && t <= 40 && shareOf(t) >= 0.6);
			const played = clear.filter((_, place) => place % 2 === 0);
			await page.getByRole("button", { name: "Play settings" }).click();
			await page.getByText(`${played.length} of 73 dates are played.`).waitFor();
			await page.keyboard.press("Escape");

			const seen = collectDates(page);
			await buttons(page).play.click();
			await whenDateIs(page, short(played.at(-1) ?? 0));
			assert.deepEqual(await seen(), played.slice(1).map(short));
			assert.deepEqual(Object.fromEntries(Object.keys(asked).map((key) => [key, linkValue(page, key)])), asked);
		},
	],
	[
		"8 the settings are in the link, and the year of the date is played unless another period is chosen",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[8]}` });
			await whenShown(page);
			await page.getByRole("button", { name: "Play settings" }).click();
			const options = page.getByRole("dialog", { name: "Play settings" });
			await options.getByRole("textbox", { name: "From" }).fill("2019-03-01");
			await options.getByRole("textbox", { name: "To" }).fill("30/6/2019");
			await options.getByRole("textbox", { name: "To" }).press("Tab");
			await whenLinkSays(page, "to", "2019-06-30");
			assert.equal(linkValue(page, "from"), "2019-03-02", "the first date from 1 March on");
			await options.getByRole("combobox", { name: "Step" }).selectOption("one date in 3");
			await whenLinkSays(page, "step", "3");
			await options.getByRole("checkbox", { name: "Repeat" }).uncheck();
			await whenLinkSays(page, "loop", "0");
			await page.screenshot({ path: join(outDir, "play-options.png") });

			await options.getByRole("textbox", { name: "To" }).fill("2018-01-01");
			await options.getByRole("textbox", { name: "To" }).press("Tab");
			await options.getByText("The end is before the start.").waitFor();
			await options.getByRole("button", { name: "All dates" }).click();
			await whenLinkSays(page, "from", dates[0]);
			assert.equal(linkValue(page, "to"), dates[72]);
			await options.getByRole("button", { name: "This year" }).click();
			await whenLinkSays(page, "from", null);
			await options.getByRole("combobox", { name: "Gaps" }).selectOption("Skip dates with many");
			await whenLinkSays(page, "gaps", "skip");
			await options.getByRole("combobox", { name: "Speed" }).selectOption("Fast · 12 fps");
			await whenLinkSays(page, "fps", "12");
			await options.getByText(/may flash/).waitFor();
		},
	],
	[
		"8 of several years that of the date is played, in a loop of its own",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi_years&date=2019-12-17&fps=20" });
			await whenShown(page);
			await page.getByRole("button", { name: "Play settings" }).click();
			await page.getByText("73 of 219 dates are played.").waitFor();
			await page.keyboard.press("Escape");
			const seen = collectDates(page);
			await buttons(page).play.click();
			await whenPassed(page, seen, "27 Dec 2019", "1 Jan 2019");
			await buttons(page).pause.click();
		},
	],
	[
		"8 in the last year of a loop a preview of the first one is loaded",
		async ({ open }) => {
			const search = "?layer=ndvi_years&date=2020-10-02&from=2018-01-01&to=2020-12-26&fps=2";
			const { page, requests } = await open({ search });
			await whenShown(page);
			const isOfFirst = (/** @type {string} */ url) => url.includes("2018-01-01/2018-12-31") && url.includes("res=2");
			assert.ok(!requests.some(isOfFirst));
			await buttons(page).play.click();
			await until(page, () => requests.some(isOfFirst));
			assert.match((await dateNow(page)) ?? "", /2020/);
		},
	],
	[
		"8 where all would be skipped, that is told, with what plays them",
		async ({ open }) => {
			const search = `?layer=ndvi&date=${dates[11]}&from=${dates[11]}&to=${dates[12]}&maxcloud=40`;
			const { page } = await open({ search });
			await whenShown(page);
			await whenLinkSays(page, "gaps", "skip");
			await buttons(page).play.click();
			await whenNotice(page, /they are skipped: nothing is left to play/);
			assert.deepEqual(await brokenRules(page), []);
			const seen = collectDates(page);
			await page.getByRole("button", { name: "Show gaps" }).click();
			await whenPassed(page, seen, short(12), short(11));
			await whenNoNotices(page);
			await buttons(page).pause.click();
			await whenLinkSays(page, "gaps", null);
		},
	],
	[
		"8 playing backwards goes the other way",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[20]}&fps=12` });
			await whenShown(page);
			await loadAll(page, 73);
			await page.getByRole("button", { name: "Play settings" }).click();
			await page.getByRole("checkbox", { name: "Backwards" }).check();
			await page.keyboard.press("Escape");
			const seen = collectDates(page);
			await buttons(page).play.click();
			await whenPassed(page, seen, short(15));
			await buttons(page).pause.click();
			assert.deepEqual((await seen()).slice(0, 5), [19, 18, 17, 16, 15].map(short));
		},
	],
	[
		"8 playing stops when the tab is hidden",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[0]}&fps=12` });
			await whenShown(page);
			await loadAll(page, 73);
			await buttons(page).play.click();
			await buttons(page).pause.waitFor();
			await page.evaluate(() => {
				Object.defineProperty(document, "hidden", { value: true });
				document.dispatchEvent(new Event("visibilitychange"));
			});
			await buttons(page).play.waitFor();
		},
	],
	[
		"8 a link that plays starts by itself, unless the system asks for less motion",
		async ({ open }) => {
			const search = `?layer=ndvi&date=${dates[0]}&play=1`;
			const moving = await open({ search });
			await buttons(moving.page).pause.waitFor();

			const calm = await open({ search, reducedMotion: "reduce" });
			await calm.page.getByText(/set to reduce motion/).waitFor();
			await whenShown(calm.page);
			assert.ok(await buttons(calm.page).play.isVisible());
			assert.equal(await dateNow(calm.page), short(0));
			await calm.page.locator("#notices").getByRole("button", { name: "Play" }).click();
			await buttons(calm.page).pause.waitFor();
		},
	],
	[
		"8 playing waits for dates that are not loaded, and says so",
		async ({ open }) => {
			/** @type {(() => void) | undefined} */
			let release;
			const held = new Promise((resolve) => {
				release = () => resolve(undefined);
			});
			const { page } = await open({
				search: `?layer=ndvi&date=${dates[4]}&fps=20`,
				routes: {
					// A single date is requested without an interval.
					"/cubes/.*datetime=[^&]*/": async (route) => {
						await held;
						await route.fallback();
					},
				},
			});
			await whenShown(page);
			// Both concurrently, and started before playback: after a long wait, playback requests the date alone.
			const whenWaiting = page.waitForFunction(
				([words, date]) =>
					document.querySelector("#timeline")?.textContent?.includes(words) &&
					document.querySelector("[data-part=date-text]")?.textContent === date,
				[`Loading ${short(5)}…`, short(4)],
			);
			await Promise.all([whenWaiting, buttons(page).play.click()]);
			const seen = collectDates(page);
			release?.();
			await whenPassed(page, seen, short(7));
		},
	],
	[
		"8 colours without numbers play too, each date when it is complete",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=rgb&date=2019-01-01&fps=20&loop=0" });
			await whenShown(page);
			const gaps = await page.getByLabel("Gaps").locator("option").allTextContents();
			assert.deepEqual(gaps, ["Show", "Skip dates with many"]);
			const seen = collectDates(page);
			await buttons(page).play.click();
			await whenDateIs(page, short(11));
			assert.deepEqual(await seen(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(short));
		},
	],
	[
		"27 filled gaps show the last clear value, and say so",
		async ({ open, outDir }) => {
			const t = 13;
			const { page } = await open({ search: `?layer=ndvi&date=${dates[t]}&${WHOLE}` });
			await whenShown(page);
			await loadAll(page, 73);
			const cells = CELLS.map(({ row, column }) => ({ row, column: column - (column % 32) + 5 }));
			assert.ok(cells.some(({ row, column }) => isCloud(t, row, column)));
			const asItIs = cells.map((cell) => numberAt("ndvi", t, cell));

			await whenGreysAre(page, cells, asItIs);

			await page.getByRole("button", { name: "Play settings" }).click();
			const gaps = page.getByRole("combobox", { name: "Gaps" });
			await gaps.selectOption("Fill with the last value");
			await whenLinkSays(page, "gaps", "last");
			await page.getByText("Gaps show the last clear value").waitFor();
			await whenGreysAre(
				page,
				cells,
				cells.map((cell) => lastNumberAt("ndvi", t, cell)),
			);
			await page.screenshot({ path: join(outDir, "filled.png") });

			await gaps.selectOption("Show");
			await whenGreysAre(page, cells, asItIs);
		},
	],
	[
		"27 where a class layer tells clear pixels, map, chart and strip show those alone unless switched off",
		async ({ base, open, outDir }) => {
			await Promise.all(["flagged", "ndvi_years"].map((each) => whenCounted(base, each)));
			// As if the server had `flagged` masked under the name of another layer of the same area.
			const { layers, ...rest } = await (await fetch(new URL("layers", base))).json();
			const { revision } = layers.find((/** @type {any} */ { id }) => id === "ndvi_years");
			const clear = { layer: "classes", masked: "ndvi_years", revision };
			const told = layers.map((/** @type {any} */ each) => (each.id === "flagged" ? { ...each, clear } : each));
			const routes = { "^/layers$": answerJson({ layers: told, ...rest }) };
			const { lon, lat } = centreOf({ row: 100, column: 100 });
			const search = `?layer=flagged&pt=${lon},${lat}&view=${lon},${lat},12`;
			const { page, requests } = await open({ search, routes });
			await whenShown(page);
			await page.locator("#chart .plot-drawing").first().waitFor();
			/** Returns the names that were requested since the last call. */
			const asked = () => {
				const all = requests.splice(0).flatMap((url) => /\/(?:cubes|timeseries)\/([^/]+)\//.exec(url)?.[1] ?? []);
				return [...new Set(all)];
			};
			assert.deepEqual(asked(), ["ndvi_years"]);
			assert.equal(await slider(page).getAttribute("aria-valuemax"), "218");
			// The newest date that is clear by four fifths.
			const newest = FIXTURES.ndvi_years.dates.findLastIndex((_, t) => validShare("ndvi_years", t) >= 0.8);
			assert.equal(await indexNow(page), newest);
			assert.deepEqual(await brokenRules(page), []);

			const only = page.getByRole("checkbox", { name: "Clear only" });
			await page.screenshot({ path: join(outDir, "clear-only.png") });
			await only.focus();
			await page.keyboard.press("Space");
			await whenLinkSays(page, "clear", "0");
			await page.locator(".strip-slider[aria-valuemax='11']").waitFor();
			await until(page, () => requests.some((url) => url.includes("/timeseries/flagged/")));
			assert.deepEqual(asked(), ["flagged"]);
			await only.check();
			await whenLinkSays(page, "clear", null);
			await page.locator(".strip-slider[aria-valuemax='218']").waitFor();

			await chooseLayer(page, "classes");
			await only.waitFor({ state: "hidden" });
			const phone = await open({ search: "?layer=flagged&clear=0", routes, width: 390, height: 844 });
			await whenShown(phone.page);
			assert.equal(await slider(phone.page).getAttribute("aria-valuemax"), "11");
			await phone.page.getByRole("button", { name: "Play settings" }).click();
			await phone.page.getByRole("checkbox", { name: "Clear only" }).check();
			await whenLinkSays(phone.page, "clear", null);
			await phone.page.screenshot({ path: join(outDir, "clear-only-phone.png") });
			assert.deepEqual(await brokenRules(phone.page), []);
		},
	],
	[
		"37 a layer with one date has no strip, one without time no date",
		async ({ open }) => {
			const one = await open({ search: "?layer=one" });
			await one.page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor();
			await whenDateIs(one.page, "1 Jun 2019");
			assert.ok(await one.page.locator(".strip").isHidden());
			assert.ok(await buttons(one.page).play.isHidden());

			const none = await open({ search: "?layer=static" });
			await none.page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor();
			assert.ok(await none.page.locator("#timeline").isHidden());
			await chooseLayer(none.page, "ndvi");
			await slider(none.page).waitFor();
		},
	],
	[
		"37 of a thousand dates the strip shows a window, which zooms, pans and follows",
		async ({ open, outDir }) => {
			const { page } = await open({ search: "?layer=long&date=2015-06-24" });
			await whenShown(page);
			const strip = page.locator(".strip");
			assert.equal(await strip.getAttribute("data-is-zoomed"), "true");
			assert.equal(await slider(page).getAttribute("aria-valuemax"), "999");
			await page.screenshot({ path: join(outDir, "thousand.png") });

			await press(page, "Home", "2010-01-01");
			const [first] = await barPlaces(page, 1);
			const box = await slider(page).boundingBox();
			assert.ok(box);
			const click = (/** @type {{ x: number, y: number }} */ { x, y }) => inNoTime(page, () => page.mouse.click(x, y));
			const [left, right] = [SIDE_PX + 0.3, box.width - SIDE_PX - 0.3].map((x) => ({ x: box.x + x, y: first.y }));
			await click(left);
			assert.equal(await indexNow(page), 0);
			await press(page, "End", "2020-12-10");
			await click(right);
			assert.equal(await indexNow(page), 999);

			for (let step = 0; step < 4; step += 1) {
				await page.getByRole("button", { name: "Zoom out on the timeline" }).click({ force: true });
			}
			assert.equal(await strip.getAttribute("data-is-zoomed"), "false");
			await click(left);
			assert.equal(await indexNow(page), 0);
			await page.mouse.move(box.x + SIDE_PX + 1, first.y);
			await page.mouse.wheel(0, -4000);
			await page.waitForFunction(() => document.querySelector(".strip")?.getAttribute("data-is-zoomed") === "true");
			await click(right);
			assert.ok((await indexNow(page)) <= 13, "zooming in ends at a dozen dates");
		},
	],
	[
		"37 3,000 dates come page by page and are stepped through",
		async ({ open }) => {
			const days = Array.from(
				{ length: 3000 },
				(_, day) => `${new Date(day * 86_400_000).toISOString().slice(0, 19)}Z`,
			);
			const { page } = await open({
				search: "?layer=long",
				routes: {
					"/layers/long/times": (route) => {
						const start = Number(new URL(route.request().url()).searchParams.get("start") ?? 0);
						const times = days.slice(start, start + 1000);
						const next = start + 1000 < days.length ? `https://elsewhere.example/times?start=${start + 1000}` : null;
						const ends = times.map(() => null);
						const body = { times, ends, valid_shares: times.map(() => 0.5), total: 3000, next };
						return route.fulfill({ contentType: "application/json", body: JSON.stringify(body) });
					},
					"/(cubes|tiles)/.*(ctc|png)": (route) => route.abort(),
				},
				allowed: FAILED_REQUEST,
			});
			await page.locator(".strip-slider[aria-valuemax='2999']").waitFor();
			await slider(page).press("End");
			for (let step = 0; step < 20; step += 1) await slider(page).press("ArrowLeft");
			assert.equal(await indexNow(page), 2979);
		},
	],
	[
		"two clicks, or Y, show the same time of other years to choose from",
		async ({ open, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi_years&date=2019-06-20" });
			await whenShown(page);
			const box = await slider(page).boundingBox();
			assert.ok(box);
			const middle = { x: box.x + box.width / 2, y: box.y + BARS_PX };
			await page.mouse.dblclick(middle.x, middle.y);
			const lens = page.getByRole("dialog", { name: "The same time in other years" });
			await lens.waitFor();
			await lens.getByRole("heading", { name: /^Around/ }).waitFor();
			const before = await indexNow(page);
			await beginDrag(page, middle, { x: middle.x + 60, y: middle.y });
			await lens.waitFor({ state: "hidden" });
			await until(page, async () => (await indexNow(page)) > before);
			await page.mouse.up();

			await slider(page).press("Home");
			await slider(page).press("y");
			await lens.waitFor();
			assert.deepEqual(await lens.locator("strong").allTextContents(), ["2018", "2019", "2020"]);
			await page.waitForFunction(() =>
				[.../** @type {NodeListOf<HTMLImageElement>} */ (document.querySelectorAll(".lens img"))].every(
					(image) => image.naturalWidth > 0,
				),
			);
			await page.screenshot({ path: join(outDir, "lens.png") });
			await lens.getByRole("button", { name: /2020/ }).click();
			await whenLinkSays(page, "date", "2020-01-01");
		},
	],
	[
		"the calendar leads to the same time in other years",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi_years&date=2019-06-20" });
			await whenShown(page);
			await page.getByRole("button", { name: "20 Jun 2019" }).click();
			await page.getByRole("button", { name: "The same time in other years" }).click();
			const lens = page.getByRole("dialog", { name: "The same time in other years" });
			await lens.getByRole("button", { name: /2018/ }).click();
			await whenLinkSays(page, "date", "2018-06-20");
		},
	],
	[
		"axe finds nothing wrong in calendar, options and lens, light or dark",
		async ({ open }) => {
			for (const scheme of /** @type {const} */ (["light", "dark"])) {
				const { page } = await open({ search: "?layer=ndvi_years&date=2019-06-20&fps=12", scheme });
				await whenShown(page);
				await page.getByRole("button", { name: "20 Jun 2019" }).click();
				await page.getByRole("dialog", { name: "Calendar" }).waitFor();
				assert.deepEqual(await brokenRules(page), []);
				await page.keyboard.press("Escape");
				await page.getByRole("button", { name: "Play settings" }).click();
				await page.getByRole("dialog", { name: "Play settings" }).waitFor();
				assert.deepEqual(await brokenRules(page), []);
				await page.keyboard.press("Escape");
				await slider(page).press("y");
				await page.getByRole("dialog", { name: "The same time in other years" }).waitFor();
				assert.deepEqual(await brokenRules(page), []);
			}
		},
	],
	[
		"where a date has no data the nearest clear one is offered, at first sight",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=${dates[11]}` });
			await whenShown(page);
			await page.getByText("The nearest clear date is 5 days earlier: 20 February 2019.").waitFor();
			await page.screenshot({ path: join(outDir, "no-data-here.png") });
			await page.getByRole("button", { name: "Go there" }).click();
			await whenLinkSays(page, "date", dates[10]);
			await whenNoNotices(page);
		},
	],
	[
		"on a phone all choices of playing are in the panel",
		async ({ open, outDir }) => {
			for (const scheme of /** @type {const} */ (["light", "dark"])) {
				const { page } = await open({ search: `?layer=ndvi&date=${dates[8]}`, width: 360, height: 640, scheme });
				await whenShown(page);
				await page.screenshot({ path: join(outDir, `phone-${scheme}.png`) });
				await page.getByRole("button", { name: "Play settings" }).click();
				await page.getByRole("combobox", { name: "Gaps" }).selectOption("Fill with the last value");
				await page.screenshot({ path: join(outDir, `phone-options-${scheme}.png`) });
				await page.keyboard.press("Escape");
				await page.getByRole("button", { name: short(8) }).click();
				await page.getByRole("dialog", { name: "Calendar" }).waitFor();
				await page.screenshot({ path: join(outDir, `phone-calendar-${scheme}.png`) });
			}
		},
	],
]);
