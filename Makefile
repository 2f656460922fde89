# The two commands of the README, and the steps that they are made of.
.PHONY: help demo test build setup models format clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo    install, build, fetch the models, distil a student; open output/demo/report.html
demo: build models
	build/aurum train -c configs/demo.yaml --overwrite
	build/aurum report output/demo --output output/demo/report.html

## make test    install, build, run every test
test: build
	@bash tools/run_tests.sh

## make build   leave the program at build/aurum
build: setup
	@test -e build/build.ninja || cmake --preset release
	cmake --build --preset release

## make setup   install what the build needs (idempotent; network only the first time)
setup:
	@bash tools/setup.sh

## make models  fetch and check the demo's models into models/
models: setup
	@bash tools/fetch_models.sh

## make format  format every source file
format:
	git ls-files '*.h' '*.cpp' | xargs clang-format-14 -i

## make clean   remove the build folder
clean:
	rm -rf build
