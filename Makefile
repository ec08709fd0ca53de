.PHONY: check up

check:
	python3 manage.py test

up:
	python3 manage.py up --demo
