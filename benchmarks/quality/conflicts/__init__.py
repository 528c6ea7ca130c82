"""Labelled pairs of statements: does the second say that something has changed?"""
