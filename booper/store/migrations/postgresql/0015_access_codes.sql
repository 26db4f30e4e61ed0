-- How many codes are good now, and which ended long ago, without a look at all of them.
CREATE INDEX access_codes_live_by_app ON access_codes (app, expires_at) WHERE ended_at IS NULL;
CREATE INDEX access_codes_short ON access_codes (short, expires_at) WHERE ended_at IS NULL;
CREATE INDEX access_codes_ended ON access_codes (ended_at) WHERE ended_at IS NOT NULL;
