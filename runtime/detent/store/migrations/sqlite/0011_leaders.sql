-- Who runs a loop, of the engines that share a store: `holder`, until `until` unless it says so again.
CREATE TABLE leaders (
    name   TEXT PRIMARY KEY,
    holder TEXT    NOT NULL,
    until  INTEGER NOT NULL
) WITHOUT ROWID;
