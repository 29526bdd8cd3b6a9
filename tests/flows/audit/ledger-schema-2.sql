-- A ledger as markwatch 0.1.0 with schema 2 left it: six pictures, two sinks, a dead letter.
BEGIN TRANSACTION;
CREATE TABLE cameras (
            camera TEXT PRIMARY KEY,
            seen INTEGER NOT NULL DEFAULT 1,
            reported INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            last_image TEXT,
            last_status TEXT,
            last_at TEXT
        ) WITHOUT ROWID;
INSERT INTO "cameras" VALUES('cam',4,4,1,'part-5.png','failed','2026-11-21T08:00:00.000000Z');
INSERT INTO "cameras" VALUES('other',2,1,0,'part-3.png','read','2026-11-20T08:00:00.000000Z');
CREATE TABLE conditions (
            name TEXT PRIMARY KEY,
            words TEXT NOT NULL,
            since TEXT NOT NULL
        ) WITHOUT ROWID;
INSERT INTO "conditions" VALUES('recipe x','is invalid','2026-11-21T08:00:00.000000Z');
CREATE TABLE dead (
            sink TEXT NOT NULL,
            seq INTEGER NOT NULL,
            reason TEXT NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (sink, seq)
        ) WITHOUT ROWID;
INSERT INTO "dead" VALUES('mqtt',7,'too large','2026-11-21T08:00:00.000000Z');
CREATE TABLE delivered (
            sink TEXT NOT NULL,
            after INTEGER NOT NULL,
            upto INTEGER NOT NULL CHECK (upto > after),
            PRIMARY KEY (sink, after)
        ) WITHOUT ROWID;
INSERT INTO "delivered" VALUES('csv',0,5);
INSERT INTO "delivered" VALUES('mqtt',6,7);
CREATE TABLE images (
            id TEXT PRIMARY KEY,
            state TEXT NOT NULL CHECK (state IN ('intended', 'claimed', 'reported', 'archived')),
            source BLOB NOT NULL,
            work BLOB NOT NULL,
            camera TEXT NOT NULL,
            name TEXT NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            sha256 TEXT,
            arrived_at TEXT,
            captured_at TEXT,
            expected TEXT,
            attempts INTEGER NOT NULL DEFAULT 0,
            in_flight INTEGER NOT NULL DEFAULT 0,
            alone INTEGER NOT NULL DEFAULT 0,
            target BLOB,
            reason TEXT
        ) WITHOUT ROWID;
INSERT INTO "images" VALUES('01900000-0000-7000-8000-000000000001','archived',X'2F696E626F782F63616D2F706172742D312E706E67',X'646174612F776F726B2F312E706E67','cam','part-1.png',100,1,'0000000000000000000000000000000000000000000000000000000000000001','2026-11-20T08:00:00.000000Z','2026-11-20T08:00:00.000000Z',NULL,0,0,0,X'646174612F617263686976652F312E706E67',NULL);
INSERT INTO "images" VALUES('01900000-0000-7000-8000-000000000002','archived',X'2F696E626F782F63616D2F706172742D322E706E67',X'646174612F776F726B2F322E706E67','cam','part-2.png',100,1,'0000000000000000000000000000000000000000000000000000000000000002','2026-11-20T08:00:00.000000Z','2026-11-20T08:00:00.000000Z',NULL,0,0,0,X'646174612F617263686976652F322E706E67',NULL);
INSERT INTO "images" VALUES('01900000-0000-7000-8000-000000000003','archived',X'2F696E626F782F6F746865722F706172742D332E706E67',X'646174612F776F726B2F332E706E67','other','part-3.png',100,1,'0000000000000000000000000000000000000000000000000000000000000003','2026-11-20T08:00:00.000000Z','2026-11-20T08:00:00.000000Z',NULL,0,0,0,X'646174612F617263686976652F332E706E67',NULL);
INSERT INTO "images" VALUES('01900000-0000-7000-8000-000000000004','reported',X'2F696E626F782F63616D2F706172742D342E706E67',X'646174612F776F726B2F342E706E67','cam','part-4.png',100,1,'0000000000000000000000000000000000000000000000000000000000000004','2026-11-20T08:00:00.000000Z','2026-11-20T08:00:00.000000Z',NULL,0,0,0,X'646174612F617263686976652F342E706E67',NULL);
INSERT INTO "images" VALUES('01900000-0000-7000-8000-000000000005','archived',X'2F696E626F782F63616D2F706172742D352E706E67',X'646174612F776F726B2F352E706E67','cam','part-5.png',100,1,'0000000000000000000000000000000000000000000000000000000000000005','2026-11-20T08:00:00.000000Z','2026-11-20T08:00:00.000000Z',NULL,0,0,0,X'646174612F6661696C65642F352E706E67','the file is truncated');
INSERT INTO "images" VALUES('01900000-0000-7000-8000-000000000006','claimed',X'2F696E626F782F6F746865722F706172742D362E706E67',X'646174612F776F726B2F362E706E67','other','part-6.png',100,1,'0000000000000000000000000000000000000000000000000000000000000006','2026-11-20T08:00:00.000000Z','2026-11-20T08:00:00.000000Z',NULL,0,0,0,NULL,NULL);
CREATE TABLE log (head INTEGER NOT NULL);
INSERT INTO "log" VALUES(7);
CREATE TABLE replies (
            sink TEXT NOT NULL,
            seq INTEGER NOT NULL,
            reply TEXT NOT NULL,
            PRIMARY KEY (sink, seq)
        ) WITHOUT ROWID;
CREATE TABLE rows (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            image TEXT NOT NULL,
            camera TEXT NOT NULL,
            status TEXT NOT NULL,
            read_at TEXT NOT NULL,
            record TEXT NOT NULL
        , field TEXT, code TEXT, taken_at TEXT);
INSERT INTO "rows" VALUES(1,'01900000-0000-7000-8000-000000000001-1-1','01900000-0000-7000-8000-000000000001','cam','read','2026-11-20T08:00:00.000000Z','{"id":"01900000-0000-7000-8000-000000000001-1-1","seq":1,"station":"st","camera":"cam","field":"code","image":"part-1.png","page":1,"code":"KX204817","candidate":"KX204817","margin":null,"status":"read","reason":null,"text":"KX204817","confidence":0.9,"characters":[{"char":"K","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"X","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"2","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"0","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"4","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"8","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"1","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"7","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null}],"expected":null,"match":null,"cord":[1.0,2.0,11.0,6.0],"outline":[[1.0,2.0],[11.0,2.0],[11.0,6.0],[1.0,6.0]],"mark":1,"marks":2,"captured_at":"2026-11-20T08:00:00.000000Z","arrived_at":"2026-11-20T08:00:00.000000Z","read_at":"2026-11-20T08:00:00.000000Z","revision":1,"supersedes":null,"duplicate_of":null,"reply":null,"sha256":"0000000000000000000000000000000000000000000000000000000000000001","recipe":"default@1","model":"model@1","timings_ms":{"map":0.5}}','code','KX204817','2026-11-20T08:00:00.000000Z');
INSERT INTO "rows" VALUES(2,'01900000-0000-7000-8000-000000000001-1-2','01900000-0000-7000-8000-000000000001','cam','read','2026-11-20T08:00:00.000000Z','{"id":"01900000-0000-7000-8000-000000000001-1-2","seq":2,"station":"st","camera":"cam","field":"code","image":"part-1.png","page":1,"code":"KX204817","candidate":"KX204817","margin":null,"status":"read","reason":null,"text":"KX204817","confidence":0.9,"characters":[{"char":"K","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"X","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"2","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"0","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"4","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"8","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"1","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"7","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null}],"expected":null,"match":null,"cord":[1.0,2.0,11.0,6.0],"outline":[[1.0,2.0],[11.0,2.0],[11.0,6.0],[1.0,6.0]],"mark":2,"marks":2,"captured_at":"2026-11-20T08:00:00.000000Z","arrived_at":"2026-11-20T08:00:00.000000Z","read_at":"2026-11-20T08:00:00.000000Z","revision":1,"supersedes":null,"duplicate_of":null,"reply":null,"sha256":"0000000000000000000000000000000000000000000000000000000000000001","recipe":"default@1","model":"model@1","timings_ms":{"map":0.5}}','code','KX204817','2026-11-20T08:00:00.000000Z');
INSERT INTO "rows" VALUES(3,'01900000-0000-7000-8000-000000000002-1-1','01900000-0000-7000-8000-000000000002','cam','read','2026-11-20T08:00:00.000000Z','{"id":"01900000-0000-7000-8000-000000000002-1-1","seq":3,"station":"st","camera":"cam","field":"code","image":"part-2.png","page":1,"code":"KX204817","candidate":"KX204817","margin":null,"status":"read","reason":null,"text":"KX204817","confidence":0.9,"characters":[{"char":"K","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"X","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"2","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"0","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"4","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"8","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"1","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"7","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null}],"expected":null,"match":null,"cord":[1.0,2.0,11.0,6.0],"outline":[[1.0,2.0],[11.0,2.0],[11.0,6.0],[1.0,6.0]],"mark":1,"marks":1,"captured_at":"2026-11-20T08:00:00.000000Z","arrived_at":"2026-11-20T08:00:00.000000Z","read_at":"2026-11-20T08:00:00.000000Z","revision":1,"supersedes":null,"duplicate_of":null,"reply":null,"sha256":"0000000000000000000000000000000000000000000000000000000000000002","recipe":"default@1","model":"model@1","timings_ms":{"map":0.5}}','code','KX204817','2026-11-20T08:00:00.000000Z');
INSERT INTO "rows" VALUES(4,'01900000-0000-7000-8000-000000000003-1-1','01900000-0000-7000-8000-000000000003','other','read','2026-11-20T08:00:00.000000Z','{"id":"01900000-0000-7000-8000-000000000003-1-1","seq":4,"station":"st","camera":"other","field":"code","image":"part-3.png","page":1,"code":"KX204817","candidate":"KX204817","margin":null,"status":"read","reason":null,"text":"KX204817","confidence":0.9,"characters":[{"char":"K","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"X","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"2","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"0","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"4","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"8","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"1","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"7","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null}],"expected":null,"match":null,"cord":[1.0,2.0,11.0,6.0],"outline":[[1.0,2.0],[11.0,2.0],[11.0,6.0],[1.0,6.0]],"mark":1,"marks":2,"captured_at":"2026-11-20T08:00:00.000000Z","arrived_at":"2026-11-20T08:00:00.000000Z","read_at":"2026-11-20T08:00:00.000000Z","revision":1,"supersedes":null,"duplicate_of":null,"reply":null,"sha256":"0000000000000000000000000000000000000000000000000000000000000003","recipe":"default@1","model":"model@1","timings_ms":{"map":0.5}}','code','KX204817','2026-11-20T08:00:00.000000Z');
INSERT INTO "rows" VALUES(5,'01900000-0000-7000-8000-000000000003-1-2','01900000-0000-7000-8000-000000000003','other','read','2026-11-20T08:00:00.000000Z','{"id":"01900000-0000-7000-8000-000000000003-1-2","seq":5,"station":"st","camera":"other","field":"code","image":"part-3.png","page":1,"code":"KX204817","candidate":"KX204817","margin":null,"status":"read","reason":null,"text":"KX204817","confidence":0.9,"characters":[{"char":"K","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"X","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"2","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"0","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"4","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"8","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"1","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"7","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null}],"expected":null,"match":null,"cord":[1.0,2.0,11.0,6.0],"outline":[[1.0,2.0],[11.0,2.0],[11.0,6.0],[1.0,6.0]],"mark":2,"marks":2,"captured_at":"2026-11-20T08:00:00.000000Z","arrived_at":"2026-11-20T08:00:00.000000Z","read_at":"2026-11-20T08:00:00.000000Z","revision":1,"supersedes":null,"duplicate_of":null,"reply":null,"sha256":"0000000000000000000000000000000000000000000000000000000000000003","recipe":"default@1","model":"model@1","timings_ms":{"map":0.5}}','code','KX204817','2026-11-20T08:00:00.000000Z');
INSERT INTO "rows" VALUES(6,'01900000-0000-7000-8000-000000000004-1-1','01900000-0000-7000-8000-000000000004','cam','read','2026-11-21T08:00:00.000000Z','{"id":"01900000-0000-7000-8000-000000000004-1-1","seq":6,"station":"st","camera":"cam","field":"code","image":"part-4.png","page":1,"code":"KX204817","candidate":"KX204817","margin":null,"status":"read","reason":null,"text":"KX204817","confidence":0.9,"characters":[{"char":"K","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"X","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"2","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"0","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"4","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"8","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"1","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null},{"char":"7","confidence":0.9,"steered_confidence":null,"alternative":null,"alternative_confidence":null,"grade":null}],"expected":null,"match":null,"cord":[1.0,2.0,11.0,6.0],"outline":[[1.0,2.0],[11.0,2.0],[11.0,6.0],[1.0,6.0]],"mark":1,"marks":1,"captured_at":"2026-11-20T08:00:00.000000Z","arrived_at":"2026-11-20T08:00:00.000000Z","read_at":"2026-11-21T08:00:00.000000Z","revision":1,"supersedes":null,"duplicate_of":null,"reply":null,"sha256":"0000000000000000000000000000000000000000000000000000000000000004","recipe":"default@1","model":"model@1","timings_ms":{"map":0.5}}','code','KX204817','2026-11-20T08:00:00.000000Z');
INSERT INTO "rows" VALUES(7,'01900000-0000-7000-8000-000000000005-1-1','01900000-0000-7000-8000-000000000005','cam','failed','2026-11-21T08:00:00.000000Z','{"id":"01900000-0000-7000-8000-000000000005-1-1","seq":7,"station":"st","camera":"cam","field":"code","image":"part-5.png","page":1,"code":null,"candidate":null,"margin":null,"status":"failed","reason":"the file is truncated","text":null,"confidence":null,"characters":[],"expected":null,"match":null,"cord":null,"outline":null,"mark":1,"marks":1,"captured_at":"2026-11-20T08:00:00.000000Z","arrived_at":"2026-11-20T08:00:00.000000Z","read_at":"2026-11-21T08:00:00.000000Z","revision":1,"supersedes":null,"duplicate_of":null,"reply":null,"sha256":"0000000000000000000000000000000000000000000000000000000000000005","recipe":null,"model":null,"timings_ms":{}}','code',NULL,'2026-11-20T08:00:00.000000Z');
CREATE TABLE sinks (
            name TEXT PRIMARY KEY,
            start INTEGER NOT NULL,
            planned_after INTEGER,
            planned_to INTEGER,
            cursor TEXT,
            error TEXT,
            error_at TEXT,
            delivered_at TEXT
        ) WITHOUT ROWID;
INSERT INTO "sinks" VALUES('csv',0,5,6,'{"file": "x", "offset": 3}',NULL,NULL,'2026-11-21T08:00:00.000000Z');
INSERT INTO "sinks" VALUES('mqtt',5,NULL,NULL,NULL,NULL,NULL,'2026-11-21T08:00:00.000000Z');
CREATE INDEX images_open ON images (state) WHERE state != 'archived';
CREATE UNIQUE INDEX images_target ON images (target) WHERE target IS NOT NULL;
CREATE INDEX rows_image ON rows (image);
CREATE INDEX rows_code ON rows (code, camera, field, taken_at) WHERE code IS NOT NULL;
COMMIT;
PRAGMA user_version=2;
