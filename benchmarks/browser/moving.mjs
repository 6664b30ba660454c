/** Moving through a loaded year, recolouring it, and moving while it loads: frames, requests and memory. */
import { median, most, percentile } from "./figures.mjs";
import { linkTo, nextFrame, openPage, seenBy, whenLoaded, whenShown } from "./pages.mjs";
import { middleOf } from "./screens.mjs";

/** @typedef {import("./pages.mjs").Page} Page */

const SIDE_PX = 8;
const BARS_PX = 35;
const RECOLOURINGS = 60;
const DRAGS = 3;
const MIB = 2 ** 20;

/** @param {Page} page */
const slider = (page) => page.getByRole("slider", { name: /^Date/ });

/** Records the duration of each painting and the time between frames, until `noted` is called. @param {Page} page */
const startNoting = (page) =>
	page.evaluate(() => {
		const noting = /** @type {any} */ (window);
		const { cubesOf, sideA } = noting.parts;
		const { painter } = cubesOf(sideA).layer;
		noting.noted = { paints: [], frames: [], dates: new Set(), startMs: performance.now(), isOn: true };
		const { noted } = noting;
		const paint = Object.getPrototypeOf(painter).paint;
		painter.paint = function () {
			const before = performance.now();
			paint.call(this);
			noted.paints.push(performance.now() - before);
			noted.dates.add(this.shown);
		};
		let last = noted.startMs;
		const frame = (/** @type {number} */ now) => {
			if (!noted.isOn) return;
			noted.frames.push(now - last);
			last = now;
			requestAnimationFrame(frame);
		};
		requestAnimationFrame((now) => {
			last = now;
			requestAnimationFrame(frame);
		});
	});

/** @param {Page} page @returns {Promise<{ paints: number[], frames: number[], dates: number }>} */
const noted = (page) =>
	page.evaluate(() => {
		const noting = /** @type {any} */ (window);
		const { cubesOf, sideA } = noting.parts;
		delete cubesOf(sideA).layer.painter.paint;
		noting.noted.isOn = false;
		const { paints, frames, dates } = noting.noted;
		return { paints, frames, dates: dates.size };
	});

/** Waits until no request was sent for a second. @param {Page} page */
async function whenQuiet(page) {
	let askedMs = Date.now();
	const note = () => {
		askedMs = Date.now();
	};
	page.context().on("request", note).on("requestfinished", note);
	while (Date.now() - askedMs < 1000) await nextFrame(page);
	page.context().off("request", note).off("requestfinished", note);
}

/** @param {Page} page @param {number} count @param {() => void} pressed is called when the pointer holds the date; before, the pointer rests, and the viewer may request dates near it */
async function drag(page, count, pressed) {
	const box = await slider(page).boundingBox();
	if (!box) throw new Error("the strip has no box");
	const slot = (box.width - 2 * SIDE_PX) / count;
	const x = (/** @type {number} */ index) => box.x + SIDE_PX + (index + 0.5) * slot;
	const y = box.y + BARS_PX;
	await page.mouse.move(x(0), y);
	await page.mouse.down();
	pressed();
	const steps = 2 * count;
	for (let turn = 0; turn < DRAGS; turn++) {
		for (let step = 1; step <= steps; step++) {
			const share = step / steps;
			await page.mouse.move(x((turn % 2 === 0 ? share : 1 - share) * (count - 1)), y);
		}
	}
}

/** @param {Page} page @param {string} layer how many dates it has @param {number} count */
async function measureDrag(page, layer, count) {
	/** @type {string[]} */
	const requests = [];
	const note = (/** @type {import("playwright-core").Request} */ request) => void requests.push(request.url());
	await whenQuiet(page);
	await startNoting(page);
	await drag(page, count, () => page.context().on("request", note));
	const { paints, frames, dates } = await noted(page);
	const during = [...requests];
	await page.mouse.up();
	page.context().off("request", note);
	const seconds = frames.reduce((sum, each) => sum + each, 0) / 1000;
	return {
		layer,
		frames_per_s: frames.length / seconds,
		frame_p95_ms: percentile(frames, 0.95),
		frame_worst_ms: most(frames),
		paint_p50_ms: median(paints),
		paint_p95_ms: percentile(paints, 0.95),
		paintings: paints.length,
		dates,
		requests: during.length,
		asked: [...new Set(during.map(withoutQuery))],
	};
}

/** @param {string} url */
const withoutQuery = (url) => new URL(url).pathname;

/** Changes the ends of the ramp in every frame. @param {Page} page */
async function measureRecolour(page) {
	/** @type {string[]} */
	const requests = [];
	const note = (/** @type {import("playwright-core").Request} */ request) => void requests.push(request.url());
	page.context().on("request", note);
	await startNoting(page);
	await page.evaluate(async (count) => {
		const { sideA } = /** @type {any} */ (window).parts;
		for (let step = 0; step < count; step++) {
			sideA.colouring.value = { ...sideA.colouring.peek(), min: 0.004 * step, max: 0.9 - 0.004 * step };
			await new Promise((done) => requestAnimationFrame(done));
		}
	}, RECOLOURINGS);
	await nextFrame(page);
	const { paints, frames } = await noted(page);
	page.context().off("request", note);
	const tiles = paints.filter((each) => each > 0.2);
	return {
		p50_ms: median(tiles),
		p95_ms: percentile(tiles, 0.95),
		frame_p95_ms: percentile(frames, 0.95),
		requests: requests.length,
		asked: [...new Set(requests.map(withoutQuery))],
	};
}

/** Measures keys, a click on the map, a click on the strip: the 98th percentile of their durations. @param {Page} page */
async function measureEvents(page) {
	const before = (await seenBy(page)).events.length;
	await slider(page).focus();
	for (let press = 0; press < 40; press++) await page.keyboard.press(press % 2 ? "ArrowLeft" : "PageDown");
	const events = (await seenBy(page)).events.slice(before);
	return { p98_ms: percentile(events, 0.98) ?? 16, slower_than_16_ms: events.length };
}

/** The series of a place: first from loaded cubes, then from the server. @param {Page} page */
async function measureChart(page) {
	/** @type {{ cube: number, server: number }[]} */
	const clicks = [];
	for (const [across, down] of [
		[0.4, 0.2],
		[0.6, 0.25],
		[0.45, 0.15],
		[0.55, 0.3],
	]) {
		const map = await page.locator("#map").boundingBox();
		if (!map) throw new Error("the viewer has no map");
		const timed = page.evaluate(
			() =>
				new Promise((resolve) => {
					const before = document.querySelector("#chart .place-name")?.textContent;
					let [start, cube] = [0, 0];
					document.addEventListener(
						"click",
						(event) => {
							start = event.timeStamp;
						},
						{ once: true, capture: true },
					);
					const look = () => {
						const isOther = document.querySelector("#chart .place-name")?.textContent !== before;
						const kind = /** @type {HTMLElement | null} */ (document.querySelector("#chart .place-state"))?.dataset
							.kind;
						const isDrawn = start > 0 && isOther && document.querySelector("#chart .chart-plot svg");
						if (isDrawn && !cube) cube = performance.now() - start;
						if (isDrawn && kind === "exact") resolve({ cube, server: performance.now() - start });
						else requestAnimationFrame(look);
					};
					look();
				}),
		);
		await page.mouse.click(map.x + across * map.width, map.y + down * map.height);
		clicks.push(/** @type {any} */ (await timed));
	}
	const [first, ...next] = clicks;
	return {
		first_cube_ms: first.cube,
		cube_ms: median(next.map(({ cube }) => cube)),
		server_ms: median(next.map(({ server }) => server)),
	};
}

/** Moves to more places and loads the whole year of each. @param {Page} page @param {import("./screens.mjs").Screen[]} screens @param {number} count */
async function measureMemory(page, screens, count) {
	let bytes = 0;
	for (const screen of screens) {
		await page.evaluate((view) => {
			const { destination } = /** @type {any} */ (window).parts;
			destination.value = { view };
		}, middleOf(screen));
		await page.waitForTimeout(200);
		await whenLoaded(page, "full", count);
		bytes = Math.max(bytes, await page.evaluate(() => /** @type {any} */ (window).parts.loader.bytes));
	}
	return { screens: screens.length, most_mib: bytes / MIB };
}

/**
 * @param {import("./pages.mjs").Browser} browser @param {string} base @param {{ width: number, height: number }} size
 * @param {import("./measure.mjs").Season} season
 */
export async function measureMoving(browser, base, size, { layer, dates, screens, further }) {
	const page = await openPage(browser, size);
	await page.goto(base + linkTo(layer, dates[0], screens[0]));
	await whenShown(page);
	const start = await page.evaluate(() => performance.now());
	await slider(page).hover({ position: { x: 20, y: BARS_PX } });
	await whenLoaded(page, "full", dates.length);
	const end = await page.evaluate(() => performance.now());
	const tasks = (await seenBy(page)).tasks.filter(({ startTime }) => startTime >= start && startTime <= end);
	const loading = {
		ms: end - start,
		long_tasks: tasks.length,
		longest_ms: most(tasks.map(({ duration }) => duration)),
	};
	const tiles = await page.locator(".data-tiles canvas").count();
	const drag = { tiles, ...(await measureDrag(page, layer, dates.length)) };
	const recolour = await measureRecolour(page);
	const events = await measureEvents(page);
	const memory = await measureMemory(page, further, dates.length);
	await page.context().close();
	return { loading, drag, recolour, events, memory };
}

/**
 * The drag with names, legend and a second layer on top, whose year loads during the drag.
 * @param {import("./pages.mjs").Browser} browser @param {string} base @param {{ width: number, height: number }} size
 * @param {import("./measure.mjs").Archive} archive with the layer LAI
 */
export async function measureLayers(browser, base, size, { layer, year, bbox, z }) {
	const page = await openPage(browser, size);
	const [west, south, east, north] = bbox;
	const layers = `${layer}:1,LAI:0.6`;
	const period = `period=${year}-01-01/${year}-12-31`;
	await page.goto(
		`${base}viewer/?layer=${layer}&layers=${layers}&date=${year}-06-05&${period}&overlays=names&view=${(west + east) / 2},${(south + north) / 2},${z}`,
	);
	await whenShown(page);
	await page.locator(".map-keys .key").nth(1).waitFor();
	await page.locator(".town > span").first().waitFor();
	const count = await page.evaluate(
		(wanted) =>
			/** @type {any} */ (window).parts.sideA.timeDomain
				.peek()
				.instants.filter((/** @type {any} */ { ms }) => new Date(ms).getUTCFullYear() === Number(wanted)).length,
		year,
	);
	if (count === 0) throw new Error(`${layer} has no dates in ${year}`);
	const cold = await measureDrag(page, layer, count);
	// The strip begins and ends in two years: dates near its ends are loaded.
	const box = await slider(page).boundingBox();
	for (const x of [SIDE_PX, (box?.width ?? 0) - SIDE_PX]) {
		await slider(page).click({ position: { x, y: BARS_PX } });
		await whenQuiet(page);
	}
	const warm = await measureDrag(page, layer, count);
	await page.context().close();
	return { cold, warm };
}

/** @param {import("./pages.mjs").Browser} browser @param {string} base @param {{ width: number, height: number }} size @param {import("./measure.mjs").Season} season */
export async function measureClicks(browser, base, size, { layer, dates, screens }) {
	const page = await openPage(browser, size);
	await page.goto(base + linkTo(layer, dates[0], screens[0]));
	await whenShown(page);
	await slider(page).hover({ position: { x: 20, y: BARS_PX } });
	await whenLoaded(page, "full", dates.length);
	const chart = await measureChart(page);
	await page.context().close();
	return chart;
}
