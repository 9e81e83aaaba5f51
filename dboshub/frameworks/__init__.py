"""FastAPI and Flask: the engine lives as long as the application, and knows each request."""
