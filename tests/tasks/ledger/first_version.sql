BEGIN TRANSACTION;
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	process_id TEXT DEFAULT '' NOT NULL, 
	at DATETIME NOT NULL, 
	actor TEXT NOT NULL, 
	event TEXT NOT NULL, 
	rule TEXT DEFAULT '' NOT NULL, 
	evidence JSON NOT NULL, 
	amount TEXT, 
	currency TEXT DEFAULT '' NOT NULL, 
	intent_id TEXT DEFAULT '' NOT NULL, 
	hold_id TEXT DEFAULT '' NOT NULL, 
	flow_run_id TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audit" VALUES(1,'paid','2026-11-23 12:00:00.000000','process-pending-returns','decided','refund_on_verified','{"decision": "compensate", "why": "2 units are approved"}',NULL,'','','','run-1');
INSERT INTO "audit" VALUES(2,'paid','2026-11-23 12:00:00.000000','process-pending-returns','intended','refund_on_verified','{"why": "2 units are approved", "kind": "refund", "method": "ORIGINAL_PAYMENT_METHOD", "units": {"l1": [1]}, "gross": "10.00"}','10.00','EUR','934d589d72d7436cbba356efaf7720b2','','run-1');
INSERT INTO "audit" VALUES(3,'paid','2026-11-23 12:00:00.000000','process-pending-returns','sent','refund_on_verified','{"attempt": 1, "snapshot": {"ledger_knew": 0}}','10.00','EUR','934d589d72d7436cbba356efaf7720b2','','run-1');
INSERT INTO "audit" VALUES(4,'paid','2026-11-23 12:00:00.000000','process-pending-returns','done','refund_on_verified','{"answer": "200", "by": "REVER''s answer"}','10.00','EUR','934d589d72d7436cbba356efaf7720b2','','run-1');
INSERT INTO "audit" VALUES(5,'refused','2026-11-23 12:00:00.000000','process-pending-returns','decided','refund_on_verified','{"decision": "compensate", "why": "2 units are approved"}',NULL,'','','','run-1');
INSERT INTO "audit" VALUES(6,'refused','2026-11-23 12:00:00.000000','process-pending-returns','intended','refund_on_verified','{"why": "2 units are approved", "kind": "refund", "method": "ORIGINAL_PAYMENT_METHOD", "units": {"l1": [1]}, "gross": "10.00"}','10.00','EUR','23bb59cc46984c999a9ac59a0b322da7','','run-1');
INSERT INTO "audit" VALUES(7,'refused','2026-11-23 12:00:00.000000','process-pending-returns','sent','refund_on_verified','{"attempt": 1, "snapshot": {"ledger_knew": 0}}','10.00','EUR','23bb59cc46984c999a9ac59a0b322da7','','run-1');
INSERT INTO "audit" VALUES(8,'refused','2026-11-23 12:00:00.000000','process-pending-returns','refused','refund_on_verified','{"why": "not now", "code": "9"}','10.00','EUR','23bb59cc46984c999a9ac59a0b322da7','','run-1');
INSERT INTO "audit" VALUES(9,'withdrawn','2026-11-23 12:00:00.000000','process-pending-returns','decided','refund_on_verified','{"decision": "compensate", "why": "2 units are approved"}',NULL,'','','','run-1');
INSERT INTO "audit" VALUES(10,'withdrawn','2026-11-23 12:00:00.000000','process-pending-returns','intended','refund_on_verified','{"why": "2 units are approved", "kind": "refund", "method": "ORIGINAL_PAYMENT_METHOD", "units": {"l1": [1]}, "gross": "10.00"}','10.00','EUR','52899e1374924c0185267e94f97cf863','','run-1');
INSERT INTO "audit" VALUES(11,'withdrawn','2026-11-23 12:00:00.000000','process-pending-returns','withdrawn','refund_on_verified','{"why": "no longer due"}','10.00','EUR','52899e1374924c0185267e94f97cf863','','run-1');
INSERT INTO "audit" VALUES(12,'unknown','2026-11-23 12:00:00.000000','process-pending-returns','decided','refund_on_verified','{"decision": "compensate", "why": "2 units are approved"}',NULL,'','','','run-1');
INSERT INTO "audit" VALUES(13,'unknown','2026-11-23 12:00:00.000000','process-pending-returns','intended','refund_on_verified','{"why": "2 units are approved", "kind": "refund", "method": "ORIGINAL_PAYMENT_METHOD", "units": {"l1": [1]}, "gross": "10.00"}','10.00','EUR','f8823f36e5134e13ad2105c0fe58af19','','run-1');
INSERT INTO "audit" VALUES(14,'unknown','2026-11-23 12:00:00.000000','process-pending-returns','sent','refund_on_verified','{"attempt": 1, "snapshot": {"ledger_knew": 0}}','10.00','EUR','f8823f36e5134e13ad2105c0fe58af19','','run-1');
INSERT INTO "audit" VALUES(15,'unknown','2026-11-23 12:00:00.000000','process-pending-returns','unknown','refund_on_verified','{"why": "no answer", "attempt": 1}','10.00','EUR','f8823f36e5134e13ad2105c0fe58af19','','run-1');
INSERT INTO "audit" VALUES(16,'unknown','2026-11-23 12:00:00.000000','process-pending-returns','held','refund_on_verified','{"why": "not seen", "refunds": "0"}','10.00','EUR','f8823f36e5134e13ad2105c0fe58af19','20ada5186480402cb1a704b0f841297d','run-1');
INSERT INTO "audit" VALUES(17,'dropped','2026-11-23 12:00:00.000000','process-pending-returns','decided','refund_on_verified','{"decision": "compensate", "why": "2 units are approved"}',NULL,'','','','run-1');
INSERT INTO "audit" VALUES(18,'dropped','2026-11-23 12:00:00.000000','process-pending-returns','intended','refund_on_verified','{"why": "2 units are approved", "kind": "refund", "method": "ORIGINAL_PAYMENT_METHOD", "units": {"l1": [1]}, "gross": "10.00"}','10.00','EUR','1ab9c12fb51a43788412619d55d12b57','','run-1');
INSERT INTO "audit" VALUES(19,'dropped','2026-11-23 12:00:00.000000','process-pending-returns','sent','refund_on_verified','{"attempt": 1, "snapshot": {"ledger_knew": 0}}','10.00','EUR','1ab9c12fb51a43788412619d55d12b57','','run-1');
INSERT INTO "audit" VALUES(20,'dropped','2026-11-23 12:00:00.000000','process-pending-returns','unknown','refund_on_verified','{"why": "no answer", "attempt": 1}','10.00','EUR','1ab9c12fb51a43788412619d55d12b57','','run-1');
INSERT INTO "audit" VALUES(21,'dropped','2026-11-23 12:00:00.000000','process-pending-returns','held','refund_on_verified','{"why": "not seen", "refunds": "0"}','10.00','EUR','1ab9c12fb51a43788412619d55d12b57','60cf51869d6346688d41e23f76a5d4aa','run-1');
INSERT INTO "audit" VALUES(22,'dropped','2026-11-23 12:00:00.000000','olga','answered','unknown_outcome','{"answer": "drop", "by": "olga", "why": "looked at it", "through": "answer-hold"}','10.00','EUR','1ab9c12fb51a43788412619d55d12b57','60cf51869d6346688d41e23f76a5d4aa','run-2');
INSERT INTO "audit" VALUES(23,'approval','2026-11-23 12:00:00.000000','process-pending-returns','decided','not_received','{"decision": "hold", "why": "a person must approve"}',NULL,'','','','run-1');
INSERT INTO "audit" VALUES(24,'approval','2026-11-23 12:00:00.000000','process-pending-returns','held','not_received','{"why": "a person must approve", "lines": "1"}','10.00','EUR','','43a944cf28fa411cb8631bf9630cf102','run-1');
INSERT INTO "audit" VALUES(25,'open','2026-11-23 12:00:00.000000','process-pending-returns','decided','refund_on_verified','{"decision": "compensate", "why": "2 units are approved"}',NULL,'','','','run-1');
INSERT INTO "audit" VALUES(26,'open','2026-11-23 12:00:00.000000','process-pending-returns','intended','refund_on_verified','{"why": "2 units are approved", "kind": "refund", "method": "ORIGINAL_PAYMENT_METHOD", "units": {"l1": [1]}, "gross": "10.00"}','10.00','EUR','994562b5a86d4fde8a48c558e37034e9','','run-1');
INSERT INTO "audit" VALUES(27,'open','2026-11-23 12:00:00.000000','process-pending-returns','sent','refund_on_verified','{"attempt": 1, "snapshot": {"ledger_knew": 0}}','10.00','EUR','994562b5a86d4fde8a48c558e37034e9','','run-1');
INSERT INTO "audit" VALUES(28,'label','2026-11-23 12:00:00.000000','process-pending-returns','decided','label_due','{"decision": "label", "why": "no label yet"}',NULL,'','','','run-1');
INSERT INTO "audit" VALUES(29,'label','2026-11-23 12:00:00.000000','process-pending-returns','intended','label_due','{"why": "no label yet", "kind": "label", "method": "", "units": {}, "gross": "0"}','0','','298da6191c204130a1eacbcae6e3d4d9','','run-1');
CREATE TABLE holds (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	process_id TEXT NOT NULL, 
	store TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	why TEXT NOT NULL, 
	evidence JSON NOT NULL, 
	amount TEXT, 
	currency TEXT DEFAULT '' NOT NULL, 
	items JSON NOT NULL, 
	details JSON NOT NULL, 
	label BOOLEAN DEFAULT false NOT NULL, 
	intent_id TEXT DEFAULT '' NOT NULL, 
	version INTEGER DEFAULT '1' NOT NULL, 
	state TEXT DEFAULT 'open' NOT NULL, 
	since DATETIME NOT NULL, 
	answer TEXT DEFAULT '' NOT NULL, 
	answered_by TEXT DEFAULT '' NOT NULL, 
	answered_at DATETIME, 
	closed_why TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (seq), 
	FOREIGN KEY(process_id) REFERENCES records (process_id), 
	UNIQUE (id)
);
INSERT INTO "holds" VALUES(1,'20ada5186480402cb1a704b0f841297d','unknown','acme','unknown_outcome','unknown_outcome','not seen','{"refunds": "0"}','10.00','EUR','{"l1": [1]}','{}',0,'f8823f36e5134e13ad2105c0fe58af19',1,'open','2026-11-23 12:00:00.000000','','',NULL,'');
INSERT INTO "holds" VALUES(2,'60cf51869d6346688d41e23f76a5d4aa','dropped','acme','unknown_outcome','unknown_outcome','not seen','{"refunds": "0"}','10.00','EUR','{"l1": [1]}','{}',0,'1ab9c12fb51a43788412619d55d12b57',2,'answered','2026-11-23 12:00:00.000000','drop','olga','2026-11-23 12:00:00.000000','');
INSERT INTO "holds" VALUES(3,'43a944cf28fa411cb8631bf9630cf102','approval','acme','approval','not_received','a person must approve','{"lines": "1"}','10.00','EUR','{"l1": [1]}','{"terms": {"l1": ["20.00", "2", "EUR"], "l2": ["9.99", "1", "EUR"]}, "day": "2026-11-23"}',0,'',1,'open','2026-11-23 12:00:00.000000','','',NULL,'');
CREATE TABLE intents (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	process_id TEXT NOT NULL, 
	store TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	state TEXT NOT NULL, 
	method TEXT DEFAULT '' NOT NULL, 
	currency TEXT DEFAULT '' NOT NULL, 
	amount TEXT NOT NULL, 
	gross TEXT NOT NULL, 
	generation INTEGER DEFAULT '0' NOT NULL, 
	items JSON NOT NULL, 
	details JSON NOT NULL, 
	token TEXT NOT NULL, 
	sent_by TEXT DEFAULT '' NOT NULL, 
	lease_until DATETIME NOT NULL, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	snapshot JSON NOT NULL, 
	sent_at DATETIME, 
	deadline DATETIME, 
	settle_at DATETIME, 
	look_at DATETIME, 
	rule TEXT DEFAULT '' NOT NULL, 
	why TEXT DEFAULT '' NOT NULL, 
	evidence JSON NOT NULL, 
	error_code TEXT DEFAULT '' NOT NULL, 
	adopted BOOLEAN DEFAULT false NOT NULL, 
	nothing_sent BOOLEAN DEFAULT false NOT NULL, 
	counted BOOLEAN DEFAULT false NOT NULL, 
	day DATE NOT NULL, 
	created_at DATETIME NOT NULL, 
	closed_at DATETIME, 
	PRIMARY KEY (seq), 
	FOREIGN KEY(process_id) REFERENCES records (process_id), 
	UNIQUE (id)
);
INSERT INTO "intents" VALUES(1,'934d589d72d7436cbba356efaf7720b2','paid','acme','refund','done','ORIGINAL_PAYMENT_METHOD','EUR','10.00','10.00',0,'{"l1": [1]}','{}','00abd0651feb4f5bd7fa0f61af6d09ed','00abd0651feb4f5bd7fa0f61af6d09ed','2026-11-23 12:01:00.000000',1,'{"ledger_knew": 0}','2026-11-23 12:00:00.000000','2026-11-23 12:00:15.000000','2026-11-23 12:15:00.000000',NULL,'refund_on_verified','2 units are approved','{"answer": "200", "by": "REVER''s answer"}','',0,0,1,'2026-11-23','2026-11-23 12:00:00.000000','2026-11-23 12:00:00.000000');
INSERT INTO "intents" VALUES(2,'23bb59cc46984c999a9ac59a0b322da7','refused','acme','refund','refused','ORIGINAL_PAYMENT_METHOD','EUR','10.00','10.00',0,'{"l1": [1]}','{}','a6d5425703daeac1b105cdac63fc8afa','a6d5425703daeac1b105cdac63fc8afa','2026-11-23 12:01:00.000000',1,'{"ledger_knew": 0}','2026-11-23 12:00:00.000000','2026-11-23 12:00:15.000000','2026-11-23 12:15:00.000000',NULL,'refund_on_verified','2 units are approved','{"why": "not now", "code": "9"}','9',0,0,1,'2026-11-23','2026-11-23 12:00:00.000000','2026-11-23 12:00:00.000000');
INSERT INTO "intents" VALUES(3,'52899e1374924c0185267e94f97cf863','withdrawn','acme','refund','withdrawn','ORIGINAL_PAYMENT_METHOD','EUR','10.00','10.00',0,'{"l1": [1]}','{}','c90dc98f161813c88d93a1c2d287c0dd','','2026-11-23 12:01:00.000000',0,'{}',NULL,NULL,NULL,NULL,'refund_on_verified','2 units are approved','{"why": "no longer due"}','',0,0,1,'2026-11-23','2026-11-23 12:00:00.000000','2026-11-23 12:00:00.000000');
INSERT INTO "intents" VALUES(4,'f8823f36e5134e13ad2105c0fe58af19','unknown','acme','refund','unknown','ORIGINAL_PAYMENT_METHOD','EUR','10.00','10.00',0,'{"l1": [1]}','{}','cfc69f6f26e9877d622263be3909d8bf','cfc69f6f26e9877d622263be3909d8bf','2026-11-23 12:01:00.000000',1,'{"ledger_knew": 0}','2026-11-23 12:00:00.000000','2026-11-23 12:00:15.000000','2026-11-23 12:15:00.000000','2026-11-23 12:15:00.000000','refund_on_verified','2 units are approved','{"why": "no answer"}','',0,0,1,'2026-11-23','2026-11-23 12:00:00.000000',NULL);
INSERT INTO "intents" VALUES(5,'1ab9c12fb51a43788412619d55d12b57','dropped','acme','refund','dropped','ORIGINAL_PAYMENT_METHOD','EUR','10.00','10.00',0,'{"l1": [1]}','{}','a0de911a1e04bcc8d4bd3f212c618ae8','a0de911a1e04bcc8d4bd3f212c618ae8','2026-11-23 12:01:00.000000',1,'{"ledger_knew": 0}','2026-11-23 12:00:00.000000','2026-11-23 12:00:15.000000','2026-11-23 12:15:00.000000',NULL,'refund_on_verified','2 units are approved','{"answer": "drop", "by": "olga", "why": "looked at it", "meant": "10.00"}','',0,0,1,'2026-11-23','2026-11-23 12:00:00.000000','2026-11-23 12:00:00.000000');
INSERT INTO "intents" VALUES(6,'994562b5a86d4fde8a48c558e37034e9','open','acme','refund','sent','ORIGINAL_PAYMENT_METHOD','EUR','10.00','10.00',0,'{"l1": [1]}','{}','f485c1a79df8d650ea5441c0915b2b16','f485c1a79df8d650ea5441c0915b2b16','2026-11-23 12:01:00.000000',1,'{"ledger_knew": 0}','2026-11-23 12:00:00.000000','2026-11-23 12:00:15.000000','2026-11-23 12:15:00.000000','2026-11-23 12:00:15.000000','refund_on_verified','2 units are approved','{}','',0,0,1,'2026-11-23','2026-11-23 12:00:00.000000',NULL);
INSERT INTO "intents" VALUES(7,'298da6191c204130a1eacbcae6e3d4d9','label','acme','label','intended','','','0','0',1,'{}','{"label": {"provider": "GLS", "carrier": "GLS_ES", "return_method": "HOME_PICK_UP"}}','5c4b1bca848aedaa3dfdd787a16209cf','','2026-11-23 12:01:00.000000',0,'{}',NULL,NULL,NULL,'2026-11-23 12:01:00.000000','label_due','no label yet','{}','',0,0,0,'2026-11-23','2026-11-23 12:00:00.000000',NULL);
CREATE TABLE ledger (
	id INTEGER NOT NULL, 
	account TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	shopper_key BLOB NOT NULL, 
	stopped BOOLEAN DEFAULT false NOT NULL, 
	stopped_since DATETIME, 
	stopped_by TEXT DEFAULT '' NOT NULL, 
	stopped_why TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT ledger_has_one_row CHECK (id = 1)
);
INSERT INTO "ledger" VALUES(1,'https://rever.test','2026-11-23 12:00:00.000000',X'0C8F166BED7DC986F6652FA4B215709AF2F4C14691CEE8058DEBA1C0BDF6B9DD',0,NULL,'','');
CREATE TABLE ledger_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT ledger_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "ledger_version" VALUES('0001');
CREATE TABLE lines (
	process_id TEXT NOT NULL, 
	line_id TEXT NOT NULL, 
	total TEXT NOT NULL, 
	quantity INTEGER NOT NULL, 
	currency TEXT NOT NULL, 
	PRIMARY KEY (process_id, line_id)
);
INSERT INTO "lines" VALUES('paid','l1','20.00',2,'EUR');
INSERT INTO "lines" VALUES('refused','l1','20.00',2,'EUR');
INSERT INTO "lines" VALUES('withdrawn','l1','20.00',2,'EUR');
INSERT INTO "lines" VALUES('unknown','l1','20.00',2,'EUR');
INSERT INTO "lines" VALUES('dropped','l1','20.00',2,'EUR');
INSERT INTO "lines" VALUES('open','l1','20.00',2,'EUR');
CREATE TABLE pauses (
	store TEXT NOT NULL, 
	unknown_in_a_row INTEGER DEFAULT '0' NOT NULL, 
	paused_until DATETIME, 
	pause_minutes INTEGER DEFAULT '0' NOT NULL, 
	trial_intent TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (store)
);
INSERT INTO "pauses" VALUES('acme',2,NULL,0,'');
CREATE TABLE records (
	process_id TEXT NOT NULL, 
	store TEXT NOT NULL, 
	order_name TEXT DEFAULT '' NOT NULL, 
	decision TEXT DEFAULT '' NOT NULL, 
	rule TEXT DEFAULT '' NOT NULL, 
	why TEXT DEFAULT '' NOT NULL, 
	looked_at DATETIME, 
	next_look_at DATETIME, 
	final BOOLEAN DEFAULT false NOT NULL, 
	costs TEXT, 
	PRIMARY KEY (process_id)
);
INSERT INTO "records" VALUES('paid','acme','#paid','compensate','refund_on_verified','2 units are approved','2026-11-23 12:00:00.000000','2026-11-23 12:10:00.000000',0,'0');
INSERT INTO "records" VALUES('refused','acme','#refused','compensate','refund_on_verified','2 units are approved','2026-11-23 12:00:00.000000','2026-11-23 12:10:00.000000',0,'0');
INSERT INTO "records" VALUES('withdrawn','acme','#withdrawn','compensate','refund_on_verified','2 units are approved','2026-11-23 12:00:00.000000','2026-11-23 12:10:00.000000',0,'0');
INSERT INTO "records" VALUES('unknown','acme','#unknown','compensate','refund_on_verified','2 units are approved','2026-11-23 12:00:00.000000','2026-11-23 12:10:00.000000',0,'0');
INSERT INTO "records" VALUES('dropped','acme','#dropped','compensate','refund_on_verified','2 units are approved','2026-11-23 12:00:00.000000','2026-11-23 12:10:00.000000',0,'0');
INSERT INTO "records" VALUES('approval','acme','#approval','hold','not_received','a person must approve','2026-11-23 12:00:00.000000','2026-11-23 12:10:00.000000',0,NULL);
INSERT INTO "records" VALUES('open','acme','#open','compensate','refund_on_verified','2 units are approved','2026-11-23 12:00:00.000000','2026-11-23 12:10:00.000000',0,'0');
INSERT INTO "records" VALUES('label','acme','#label','label','label_due','no label yet','2026-11-23 12:00:00.000000','2026-11-23 12:10:00.000000',0,NULL);
CREATE TABLE shopper_refunds (
	intent_id TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (intent_id)
);
INSERT INTO "shopper_refunds" VALUES('934d589d72d7436cbba356efaf7720b2','03c8bad56635a4d64da0e4f5f47d839c1bfd741c923fa89a87f339f5fa7f4456','2026-11-23 12:00:00.000000');
INSERT INTO "shopper_refunds" VALUES('f8823f36e5134e13ad2105c0fe58af19','03c8bad56635a4d64da0e4f5f47d839c1bfd741c923fa89a87f339f5fa7f4456','2026-11-23 12:00:00.000000');
INSERT INTO "shopper_refunds" VALUES('1ab9c12fb51a43788412619d55d12b57','03c8bad56635a4d64da0e4f5f47d839c1bfd741c923fa89a87f339f5fa7f4456','2026-11-23 12:00:00.000000');
INSERT INTO "shopper_refunds" VALUES('994562b5a86d4fde8a48c558e37034e9','03c8bad56635a4d64da0e4f5f47d839c1bfd741c923fa89a87f339f5fa7f4456','2026-11-23 12:00:00.000000');
CREATE TABLE shoppers (
	hash TEXT NOT NULL, 
	locks BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (hash)
);
CREATE TABLE store_days (
	store TEXT NOT NULL, 
	day DATE NOT NULL, 
	currency TEXT NOT NULL, 
	amount_e4 BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (store, day, currency)
);
INSERT INTO "store_days" VALUES('acme','2026-11-23','EUR',400000);
CREATE TABLE units (
	process_id TEXT NOT NULL, 
	space TEXT NOT NULL, 
	line_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	intent_id TEXT NOT NULL, 
	PRIMARY KEY (process_id, space, line_id, n), 
	CONSTRAINT units_are_counted_from_one CHECK (n >= 1)
);
INSERT INTO "units" VALUES('paid','compensation','l1',1,'934d589d72d7436cbba356efaf7720b2');
INSERT INTO "units" VALUES('refused','compensation','l1',1,'23bb59cc46984c999a9ac59a0b322da7');
INSERT INTO "units" VALUES('withdrawn','compensation','l1',1,'52899e1374924c0185267e94f97cf863');
INSERT INTO "units" VALUES('unknown','compensation','l1',1,'f8823f36e5134e13ad2105c0fe58af19');
INSERT INTO "units" VALUES('dropped','compensation','l1',1,'1ab9c12fb51a43788412619d55d12b57');
INSERT INTO "units" VALUES('open','compensation','l1',1,'994562b5a86d4fde8a48c558e37034e9');
INSERT INTO "units" VALUES('label','label','',1,'298da6191c204130a1eacbcae6e3d4d9');
CREATE TABLE waivers (
	seq INTEGER NOT NULL, 
	process_id TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	amount TEXT, 
	currency TEXT DEFAULT '' NOT NULL, 
	items JSON NOT NULL, 
	label BOOLEAN DEFAULT false NOT NULL, 
	hold_id TEXT NOT NULL, 
	used_by TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (seq), 
	FOREIGN KEY(process_id) REFERENCES records (process_id)
);
CREATE INDEX records_unfinished ON records (store) WHERE NOT final;
CREATE INDEX intents_closed ON intents (closed_at);
CREATE INDEX intents_of_process ON intents (process_id);
CREATE UNIQUE INDEX intents_one_open_label ON intents (process_id) WHERE kind = 'label' AND state IN ('intended', 'sent', 'unknown');
CREATE UNIQUE INDEX intents_one_open_money ON intents (process_id) WHERE kind <> 'label' AND state IN ('intended', 'sent', 'unknown');
CREATE INDEX intents_open ON intents (state, store) WHERE state IN ('intended', 'sent', 'unknown');
CREATE INDEX holds_of_process ON holds (process_id);
CREATE UNIQUE INDEX holds_one_open ON holds (process_id, rule, label) WHERE state = 'open';
CREATE INDEX waivers_of_process ON waivers (process_id);
CREATE INDEX audit_of_process ON audit (process_id);
CREATE INDEX shopper_refunds_in_window ON shopper_refunds (hash, at);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
COMMIT;
