BEGIN TRANSACTION;
CREATE TABLE chronotile_archive_jobs (
	number INTEGER NOT NULL,
	id VARCHAR(32) NOT NULL,
	archive VARCHAR(200) NOT NULL,
	revision VARCHAR(64),
	process VARCHAR(80) NOT NULL,
	inputs TEXT NOT NULL,
	wanted TEXT NOT NULL,
	user VARCHAR(200),
	status VARCHAR(10) NOT NULL,
	message TEXT NOT NULL,
	progress INTEGER NOT NULL,
	created FLOAT NOT NULL,
	updated FLOAT NOT NULL,
	started FLOAT,
	finished FLOAT,
	attempts INTEGER NOT NULL,
	fruitless INTEGER NOT NULL,
	blocks INTEGER,
	not_before FLOAT,
	owner VARCHAR(80),
	leased_until FLOAT,
	fault TEXT,
	results TEXT,
	PRIMARY KEY (number),
	UNIQUE (id)
);
INSERT INTO "chronotile_archive_jobs" VALUES(1,'a3cd47f96c5736e87f9b27d6be666b85','mine',NULL,'echo','{"string": "finished"}','{"outputs": null, "response": "raw"}',NULL,'successful','is done',100,1.79570291237827849386e+09,1.79570291241864633561e+09,1.79570291238987255096e+09,1.79570291241864633561e+09,1,0,0,NULL,'a-worker',1.79570294238987255099e+09,NULL,'{"string": {"value": "finished", "file": null, "media_type": "text/plain", "metadata": null}, "file": {"value": null, "file": "file.txt", "media_type": "text/plain", "metadata": null}}');
INSERT INTO "chronotile_archive_jobs" VALUES(2,'31e74db00aa7abb25fb38c3f0b5d80f3','mine',NULL,'echo','{"string": "running"}','{"outputs": null, "response": "raw"}',NULL,'running','1 of 5 tasks',20,1.7957029124414308071e+09,1.79570291248019361495e+09,1.79570291244637513156e+09,NULL,1,0,0,NULL,'a-worker',1.7957029424463751316e+09,NULL,NULL);
INSERT INTO "chronotile_archive_jobs" VALUES(3,'fc9faa77b992618f90d5c0a037bde490','mine',NULL,'echo','{"string": "queued"}','{"outputs": null, "response": "raw"}',NULL,'accepted','queued',0,1.79570291251465797427e+09,1.79570291251465797427e+09,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE chronotile_archive_workers (
	id VARCHAR(80) NOT NULL,
	archive VARCHAR(200) NOT NULL,
	seen FLOAT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE chronotile_blocks (
	job VARCHAR(32) NOT NULL,
	number INTEGER NOT NULL,
	result TEXT NOT NULL,
	PRIMARY KEY (job, number),
	FOREIGN KEY(job) REFERENCES chronotile_archive_jobs (id) ON DELETE CASCADE
);
INSERT INTO "chronotile_blocks" VALUES('31e74db00aa7abb25fb38c3f0b5d80f3',0,'{"a": 1}');
CREATE TABLE chronotile_callbacks (
	job VARCHAR(32) NOT NULL,
	status VARCHAR(10) NOT NULL,
	url TEXT NOT NULL,
	host TEXT NOT NULL,
	base TEXT NOT NULL,
	due FLOAT,
	not_before FLOAT NOT NULL,
	tries INTEGER NOT NULL,
	PRIMARY KEY (job, status),
	FOREIGN KEY(job) REFERENCES chronotile_archive_jobs (id) ON DELETE CASCADE
);
CREATE TABLE chronotile_job_clients (
	job VARCHAR(32) NOT NULL,
	client VARCHAR(100) NOT NULL,
	PRIMARY KEY (job),
	FOREIGN KEY(job) REFERENCES chronotile_archive_jobs (id) ON DELETE CASCADE
);
INSERT INTO "chronotile_job_clients" VALUES('a3cd47f96c5736e87f9b27d6be666b85','192.0.2.1');
INSERT INTO "chronotile_job_clients" VALUES('31e74db00aa7abb25fb38c3f0b5d80f3','192.0.2.1');
INSERT INTO "chronotile_job_clients" VALUES('fc9faa77b992618f90d5c0a037bde490','192.0.2.1');
CREATE TABLE chronotile_log (
	id INTEGER NOT NULL,
	job VARCHAR(32) NOT NULL,
	at FLOAT NOT NULL,
	text TEXT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(job) REFERENCES chronotile_archive_jobs (id) ON DELETE CASCADE
);
INSERT INTO "chronotile_log" VALUES(1,'31e74db00aa7abb25fb38c3f0b5d80f3',1.79570291250650215146e+09,'began');
CREATE TABLE chronotile_schema (
	version INTEGER NOT NULL
);
INSERT INTO "chronotile_schema" VALUES(4);
CREATE INDEX ix_chronotile_archive_jobs_finished ON chronotile_archive_jobs (finished);
CREATE INDEX ix_chronotile_archive_jobs_open ON chronotile_archive_jobs (archive, user, status);
CREATE INDEX ix_chronotile_archive_jobs_process ON chronotile_archive_jobs (process);
CREATE INDEX ix_chronotile_archive_jobs_of ON chronotile_archive_jobs (user, number);
CREATE INDEX ix_chronotile_archive_jobs_next ON chronotile_archive_jobs (archive, status, number);
CREATE INDEX ix_chronotile_log_job ON chronotile_log (job);
CREATE INDEX ix_chronotile_callbacks_due ON chronotile_callbacks (due);
CREATE INDEX ix_chronotile_job_clients_client ON chronotile_job_clients (client);
COMMIT;
