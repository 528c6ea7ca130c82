"""`memwell db`: what the database behind the store's URL holds, and its care. A module for each kind of database."""
