"""`memwell db`: inspection and maintenance of the store's database. One module for each kind of database."""
