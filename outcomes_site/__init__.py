"""The site: settings, urls, the timetable of background work, health checks, start-up."""
