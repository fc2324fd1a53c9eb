/** How many events a root remembers; every {@link pruneEvery} of them the oldest go. */
const mostEvents = 8192;
const pruneEvery = 256;

const now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

const details = (row: 'NEW' | 'OLD', attributes: string): string =>
  `json_object(
    'name', ${row}.name,
    'image', ${row}.record ->> '$.image.name',
    'labels', json_patch(
      coalesce(${row}.record -> '$.imageDefaults.labels', '{}'), coalesce(${row}.record -> '$.options.labels', '{}')),
    'attributes', ${attributes})`;

const insert = (row: 'NEW' | 'OLD', action: string, attributes: string): string =>
  `INSERT INTO events (time, type, action, id, details)
   SELECT ${now}, 'container', ${action}, ${row}.id, ${details(row, attributes)}`;

const text = (field: string): string => `CAST(NEW.state ->> '$.${field}' AS TEXT)`;

/**
 * The history of a root. A container's life is written by triggers: an event is in the transaction that changes the
 * record, whoever changes it, and costs none of its own.
 */
export const eventSchema = `
  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    type TEXT NOT NULL,
    action TEXT NOT NULL,
    id TEXT NOT NULL,
    details TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER events_bounded AFTER INSERT ON events WHEN NEW.sequence % ${pruneEvery} = 0 BEGIN
    DELETE FROM events WHERE sequence <= NEW.sequence - ${mostEvents};
  END;

  CREATE TRIGGER container_inserted AFTER INSERT ON containers WHEN NEW.state ->> '$.status' = 'created' BEGIN
    ${insert('NEW', "'create'", "json('{}')")};
  END;
  CREATE TRIGGER container_made AFTER UPDATE OF state ON containers
  WHEN OLD.state ->> '$.status' = 'creating' AND NEW.state ->> '$.status' = 'created' BEGIN
    ${insert('NEW', "'create'", "json('{}')")};
  END;
  CREATE TRIGGER container_started AFTER UPDATE OF state ON containers
  WHEN OLD.state ->> '$.status' = 'starting' AND NEW.state ->> '$.status' = 'running' BEGIN
    ${insert('NEW', "'start'", `json_object('pid', ${text('pid')}, 'startedAt', NEW.state ->> '$.startedAt')`)};
  END;
  CREATE TRIGGER container_ended AFTER UPDATE OF state ON containers
  WHEN OLD.state ->> '$.status' = 'running' AND NEW.state ->> '$.status' IN ('exited', 'lost') BEGIN
    ${insert('NEW', "'oom'", "json('{}')")} WHERE NEW.state ->> '$.oomKilled';
    ${insert(
      'NEW',
      "'die'",
      `CASE NEW.state ->> '$.status'
        WHEN 'exited' THEN json_object(
          'exitCode', ${text('exitCode')}, 'signal', ${text('signal')}, 'oomKilled', ${text('oomKilled')},
          'startedAt', NEW.state ->> '$.startedAt', 'finishedAt', NEW.state ->> '$.finishedAt')
        ELSE json_object('startedAt', NEW.state ->> '$.startedAt', 'reason', NEW.state ->> '$.reason') END`,
    )};
  END;
  CREATE TRIGGER container_removed AFTER DELETE ON containers
  WHEN CASE WHEN json_valid(OLD.state) THEN OLD.state ->> '$.status' = 'removing' END BEGIN
    ${insert('OLD', "'destroy'", "json('{}')")};
  END;
  CREATE TRIGGER container_renamed AFTER UPDATE OF name ON containers WHEN OLD.name <> NEW.name BEGIN
    ${insert('NEW', "'rename'", "json_object('oldName', OLD.name)")};
  END;
`;
