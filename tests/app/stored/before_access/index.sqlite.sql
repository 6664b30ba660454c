BEGIN TRANSACTION;
CREATE TABLE chronotile_item_asset_forms (
	collection INTEGER NOT NULL,
	digest VARCHAR(16) NOT NULL,
	items INTEGER NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (digest, collection)
);
INSERT INTO "chronotile_item_asset_forms" VALUES(1,'ccd9ce8407e33b0e',1,X'5B7B226E616D65223A22423034222C226D656469615F74797065223A6E756C6C2C2267726964223A5B22455053473A3332363331222C5B31302E302C302E302C3530303030302E302C302E302C2D31302E302C353630303030302E305D2C31303938302C31303938305D2C2262616E6473223A5B5B6E756C6C2C2275696E743136222C6E756C6C2C6E756C6C2C302C6E756C6C5D5D2C226C61796F757473223A5B5D7D5D');
CREATE TABLE chronotile_item_bodies (
	item INTEGER NOT NULL,
	assets BLOB NOT NULL,
	properties JSON NOT NULL,
	document BLOB NOT NULL,
	PRIMARY KEY (item)
);
INSERT INTO "chronotile_item_bodies" VALUES(1,X'785E8B564A4E4EB14C4EB53031304F35364E324855D2898E56D24F2C4ACEC82C4BD54FD42BC94C53D25152D2C92BCDC9898D8D05006C630F06','{}',X'785EAB56CA4C51B252504A54D251502A28CA2F482D2AC94C2D56B252A8AEAD05007EDE0938');
CREATE TABLE chronotile_item_collections (
	number INTEGER NOT NULL,
	archive VARCHAR(200) NOT NULL,
	id TEXT NOT NULL,
	grouping VARCHAR(16) NOT NULL,
	order_by TEXT,
	is_descending BOOLEAN NOT NULL,
	searched TEXT,
	counter BIGINT NOT NULL,
	times_counter BIGINT NOT NULL,
	layouts_counter BIGINT NOT NULL,
	reordered_to BIGINT,
	levels INTEGER NOT NULL,
	longest BIGINT NOT NULL,
	removed INTEGER NOT NULL,
	forgotten BIGINT NOT NULL,
	west DOUBLE,
	south DOUBLE,
	east DOUBLE,
	north DOUBLE,
	west_360 DOUBLE,
	east_360 DOUBLE,
	PRIMARY KEY (number),
	UNIQUE (archive, id)
);
INSERT INTO "chronotile_item_collections" VALUES(1,'mine','tiles','exact',NULL,0,NULL,1795702917437898,1795702917437898,1795702917437897,NULL,256,1,1,0,4.0,50.0,5.0,51.0,4.0,5.0);
CREATE TABLE chronotile_item_covers (
	collection INTEGER NOT NULL,
	cell BIGINT NOT NULL,
	instant BIGINT NOT NULL,
	item BIGINT NOT NULL,
	west INTEGER NOT NULL,
	south INTEGER NOT NULL,
	east INTEGER NOT NULL,
	north INTEGER NOT NULL,
	PRIMARY KEY (collection, cell, instant, item)
)
 WITHOUT ROWID

;
INSERT INTO "chronotile_item_covers" VALUES(1,36028805743116387,1714559400000000000,1,4000000,50000000,5000000,51000000);
INSERT INTO "chronotile_item_covers" VALUES(1,36028805743116388,1714559400000000000,1,4000000,50000000,5000000,51000000);
INSERT INTO "chronotile_item_covers" VALUES(1,36028805810225251,1714559400000000000,1,4000000,50000000,5000000,51000000);
INSERT INTO "chronotile_item_covers" VALUES(1,36028805810225252,1714559400000000000,1,4000000,50000000,5000000,51000000);
CREATE TABLE chronotile_item_headers (
	item BIGINT NOT NULL,
	asset TEXT NOT NULL,
	etag TEXT NOT NULL,
	size BIGINT,
	header BLOB NOT NULL,
	PRIMARY KEY (item, asset)
);
CREATE TABLE chronotile_item_instants (
	collection INTEGER NOT NULL,
	instant BIGINT NOT NULL,
	"end" BIGINT NOT NULL,
	items INTEGER NOT NULL,
	changed BIGINT DEFAULT '0' NOT NULL,
	PRIMARY KEY (collection, instant)
)
 WITHOUT ROWID

;
INSERT INTO "chronotile_item_instants" VALUES(1,1714559400000000000,1714559400000000001,1,1795702917437897);
CREATE TABLE chronotile_item_schema (
	version INTEGER NOT NULL,
	next_item BIGINT NOT NULL,
	next_collection INTEGER NOT NULL,
	next_change BIGINT NOT NULL,
	first_change BIGINT NOT NULL
);
INSERT INTO "chronotile_item_schema" VALUES(4,3,2,1795702917357094,1795702917357092);
CREATE TABLE chronotile_item_values (
	collection INTEGER NOT NULL,
	value BLOB NOT NULL,
	start BIGINT NOT NULL,
	item BIGINT NOT NULL,
	PRIMARY KEY (collection, value, start, item)
)
 WITHOUT ROWID

;
CREATE TABLE chronotile_items (
	number INTEGER NOT NULL,
	collection INTEGER NOT NULL,
	id TEXT NOT NULL,
	instant BIGINT NOT NULL,
	start BIGINT NOT NULL,
	"end" BIGINT NOT NULL,
	updated BIGINT,
	changed BIGINT NOT NULL,
	first_change BIGINT NOT NULL,
	last_change BIGINT NOT NULL,
	product BIGINT NOT NULL,
	rank DOUBLE,
	west DOUBLE NOT NULL,
	south DOUBLE NOT NULL,
	east DOUBLE NOT NULL,
	north DOUBLE NOT NULL,
	footprint BLOB NOT NULL,
	digest BLOB NOT NULL,
	PRIMARY KEY (number),
	UNIQUE (collection, id)
);
INSERT INTO "chronotile_items" VALUES(1,1,'a',1714559400000000000,1714559400000000000,1714559400000000001,NULL,1795702917437897,1795702917357092,1795702917357092,-7073781651605466358,NULL,4.0,50.0,5.0,51.0,X'',X'178837CE01C555543960DEEE2FE89B47');
CREATE TABLE chronotile_items_removed (
	collection INTEGER NOT NULL,
	change BIGINT NOT NULL,
	item BIGINT NOT NULL,
	id TEXT NOT NULL,
	PRIMARY KEY (collection, change, item)
)
 WITHOUT ROWID

;
INSERT INTO "chronotile_items_removed" VALUES(1,1795702917357093,2,'b');
CREATE TABLE chronotile_source_entries (
	collection TEXT NOT NULL,
	"key" TEXT NOT NULL,
	state TEXT NOT NULL,
	seen INTEGER NOT NULL,
	read INTEGER NOT NULL,
	problem TEXT,
	PRIMARY KEY (collection, "key")
);
CREATE TABLE chronotile_source_first_passes (
	collection TEXT NOT NULL,
	change BIGINT NOT NULL,
	PRIMARY KEY (collection)
);
CREATE TABLE chronotile_source_items (
	collection TEXT NOT NULL,
	"key" TEXT NOT NULL,
	id TEXT NOT NULL,
	read INTEGER NOT NULL,
	PRIMARY KEY (collection, "key", id)
);
CREATE TABLE chronotile_source_passes (
	collection TEXT NOT NULL,
	source TEXT NOT NULL,
	number INTEGER NOT NULL,
	is_whole BOOLEAN NOT NULL,
	is_done BOOLEAN NOT NULL,
	cursor TEXT,
	since TEXT,
	whole_at FLOAT,
	holder VARCHAR(80),
	held_until FLOAT NOT NULL,
	PRIMARY KEY (collection)
);
CREATE TABLE chronotile_webhooks (
	archive VARCHAR(200) NOT NULL,
	webhook VARCHAR(32) NOT NULL,
	cursor TEXT NOT NULL,
	tries INTEGER NOT NULL,
	due FLOAT NOT NULL,
	PRIMARY KEY (archive, webhook)
);
INSERT INTO "chronotile_webhooks" VALUES('mine','hook','cursor',0,0.0);
CREATE TABLE chronotile_webhooks_missing (
	archive VARCHAR(200) NOT NULL,
	webhook VARCHAR(32) NOT NULL,
	since FLOAT NOT NULL,
	PRIMARY KEY (archive, webhook)
);
CREATE INDEX ix_chronotile_source_items_id ON chronotile_source_items (collection, id);
CREATE INDEX chronotile_items_by_rank ON chronotile_items (collection, rank, number);
CREATE INDEX chronotile_items_by_rank_falling ON chronotile_items (collection, rank DESC, number);
CREATE INDEX chronotile_items_by_instant ON chronotile_items (collection, instant);
CREATE INDEX chronotile_items_by_start ON chronotile_items (collection, start, number);
CREATE INDEX chronotile_items_by_change ON chronotile_items (collection, last_change, number);
CREATE INDEX chronotile_items_by_product ON chronotile_items (product);
COMMIT;
