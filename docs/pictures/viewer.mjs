/**
 * Pictures of the viewer over the demo: `node viewer.mjs BASE_URL FOLDER`, called by make.py.
 * Frames of the animation are named after the milliseconds that each is shown: `frames/007-120.png`.
 */
import { join } from "node:path";
import { chromium } from "playwright-core";
import { FLAGS, findChromium } from "../../tests/viewer/browser/harness.mjs";
import { stillPicture, whenAtRest, whenShown } from "../../tests/viewer/browser/tools.mjs";

const [base, folder] = process.argv.slice(2);
const DATES = 36;
const DESKTOP = { width: 1280, height: 800 };

/** Pictures by name. @type {Record<string, { link: string, viewport: { width: number, height: number } }>} */
const PICTURES = {
	"viewer-desktop": {
		link: "layer=NDVI&date=2024-06-11&view=4.48,50.99,11&pt=4.5,51.0;4.4,50.95&theme=light",
		viewport: DESKTOP,
	},
	"viewer-compare": {
		link: "layer=NDVI&date=2024-06-11&view=4.48,50.99,11&compare=swipe&date2=2023-06-11&theme=dark",
		viewport: DESKTOP,
	},
	"viewer-phone": {
		link: "layer=NDVI&date=2024-06-11&view=4.42,50.95,10&theme=light",
		viewport: { width: 390, height: 780 },
	},
};
const ANIMATION = {
	link: "layer=NDVI&date=2022-01-01&view=4.42,50.98,10&pt=4.348,51.005&from=2022-01-01&to=2023-12-31",
	viewport: { width: 1180, height: 820 },
};

const browser = await chromium.launch({ executablePath: await findChromium(), args: FLAGS });

/** Opens the viewer, and waits until it is at rest. @param {{ link: string, viewport: { width: number, height: number } }} picture */
async function open({ link, viewport }) {
	const page = await browser.newPage({ viewport, deviceScaleFactor: 1 });
	await page.goto(new URL(`viewer/?language=en&${link}`, base).href);
	// Comparisons hide the caption.
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
	if (link.includes("&pt=")) await page.locator("#chart .plot-drawing").first().waitFor();
	await whenAtRest(page);
	return page;
}

for (const [name, picture] of Object.entries(PICTURES)) {
	const page = await open(picture);
	await stillPicture(page, { path: join(folder, `${name}.png`) });
	await page.close();
}

const page = await open(ANIMATION);
let count = 0;
/** @param {number} shownMs */
async function frame(shownMs) {
	await page.screenshot({ path: join(folder, "frames", `${String(count).padStart(3, "0")}-${shownMs}.png`) });
	count += 1;
}

await frame(800);
const strip = page.locator("#timeline [role=slider]").first();
await strip.focus();
for (let date = 1; date <= DATES; date += 1) {
	await page.keyboard.press("ArrowRight");
	await whenShown(page);
	await frame(110);
}
await frame(1200);
await browser.close();
