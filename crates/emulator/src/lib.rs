//! An emulator of Microsoft Graph's calling cloud with signed webhooks, real media and a softphone page
