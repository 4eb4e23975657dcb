"""Wall clocks: zones, their changes and cron rules, shared by the triggers that follow one."""
