"""The Django project that runs when nobody embeds DBOSHub in a project of their own."""
