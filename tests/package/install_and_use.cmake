# Installs this build into a directory of its own, moves it, and builds and runs examples/package and
# examples/package_c against it, once through find_package() and once through pkg-config.
#   cmake -DBUILD=... -DSOURCE=... -DWORK=... -DLIBDIR=lib/... -DCXX=... -DCC=... -DFLAGS=... -P this
cmake_minimum_required(VERSION 3.22)

function(run)
  cmake_parse_arguments(RUN "" "OUT" "" ${ARGN})
  execute_process(COMMAND ${RUN_UNPARSED_ARGUMENTS} RESULT_VARIABLE status OUTPUT_VARIABLE out
    ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    list(JOIN RUN_UNPARSED_ARGUMENTS " " line)
    message(FATAL_ERROR "${line}\n${out}\nended with ${status}")
  endif()
  if(RUN_OUT)
    set(${RUN_OUT} "${out}" PARENT_SCOPE)
  endif()
endfunction()

function(expect_count_of program)
  set(config ${WORK}/build/config.json)
  if(ARGC GREATER 1)
    set(config ${ARGV1})
  endif()
  run(${program} ${config} ${WORK}/text OUT count)
  if(NOT count STREQUAL "9\n")
    message(FATAL_ERROR "${program} counted \"${count}\", not 9")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
file(WRITE ${WORK}/text "one two three\n\n  four five\nsix seven eight nine")
# Not into a prefix: the service's files would go to /etc.
set(ENV{DESTDIR} ${WORK}/staged)
run(${CMAKE_COMMAND} --install ${BUILD})
unset(ENV{DESTDIR})
file(RENAME ${WORK}/staged${PREFIX} ${WORK}/moved)
set(root ${WORK}/moved)

# No file of the package may name the place where it was built, or that it was installed to.
file(GLOB_RECURSE told ${root}/${LIBDIR}/cmake/jobring/* ${root}/${LIBDIR}/pkgconfig/*)
list(LENGTH told files)
if(files LESS 5)
  message(FATAL_ERROR "the package's own files were not installed: ${told}")
endif()
foreach(file ${told})
  file(READ ${file} text)
  foreach(place ${BUILD} ${SOURCE} ${WORK})
    string(FIND "${text}" "${place}" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} names ${place}")
    endif()
  endforeach()
endforeach()

if(NOT EXISTS ${root}/share/bash-completion/completions/jobring)
  message(FATAL_ERROR "the completion for bash was not installed")
endif()

# Each header stands on its own, with warnings as errors, those for C in both languages. (Those for
# Asio take long, and the tests of futures include them first.)
file(GLOB headers RELATIVE ${root}/include ${root}/include/jobring/*.hpp)
list(FILTER headers EXCLUDE REGEX asio)
foreach(header ${headers})
  file(WRITE ${WORK}/header.cpp "#include <${header}>\n")
  run(${CXX} -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -I${root}/include
    ${WORK}/header.cpp)
endforeach()
file(GLOB headers RELATIVE ${root}/include ${root}/include/jobring/*.h ${root}/include/jobring/c/*.h)
list(LENGTH headers count)
if(count LESS 8)
  message(FATAL_ERROR "the headers for C were not installed: ${headers}")
endif()
foreach(header ${headers})
  file(WRITE ${WORK}/header.c "#include <${header}>\n")
  run(${CC} -std=c99 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -Wstrict-prototypes
    -I${root}/include ${WORK}/header.c)
  file(WRITE ${WORK}/header.cpp "#include <${header}>\n")
  run(${CXX} -std=c++11 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -I${root}/include
    ${WORK}/header.cpp)
endforeach()

set(ENV{JOBRING_DAEMON} ${root}/bin/jobringd)
set(ENV{HOME} ${WORK})
unset(ENV{JOBRING_SOCKET})
unset(ENV{JOBRING_CONFIG})

run(${CMAKE_COMMAND} -S ${SOURCE}/examples/package -B ${WORK}/build -G Ninja
  -DCMAKE_PREFIX_PATH=${root} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${FLAGS}
  -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
run(${CMAKE_COMMAND} --build ${WORK}/build)
expect_count_of(${WORK}/build/word_count)

set(ENV{PKG_CONFIG_PATH} ${root}/${LIBDIR}/pkgconfig)
run(pkg-config --cflags --libs jobring OUT flags)
separate_arguments(flags UNIX_COMMAND "${flags}")
separate_arguments(more UNIX_COMMAND "${FLAGS}")
run(${CXX} -std=c++20 ${more} ${SOURCE}/examples/package/word_count.cpp -o ${WORK}/by_pkg_config
  ${flags})
expect_count_of(${WORK}/by_pkg_config)
run(pkg-config --cflags jobring-handler OUT flags)
separate_arguments(flags UNIX_COMMAND "${flags}")
# In the place of the module that CMake built: the same count, from this one.
run(${CXX} -std=c++20 ${more} -shared -fPIC ${SOURCE}/examples/package/words.cpp ${flags}
  -o ${WORK}/words.so)
file(REMOVE ${WORK}/build/words.so)
file(RENAME ${WORK}/words.so ${WORK}/build/words.so)
expect_count_of(${WORK}/by_pkg_config)

# In C, by a project that knows no other language: against libjobring.so, and from a command line
# against the archives and against libjobring.so.
run(${CMAKE_COMMAND} -S ${SOURCE}/examples/package_c -B ${WORK}/build_c -G Ninja
  -DCMAKE_PREFIX_PATH=${root} -DCMAKE_C_COMPILER=${CC} -DCMAKE_C_FLAGS=${FLAGS}
  -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
run(${CMAKE_COMMAND} --build ${WORK}/build_c)
set(config ${WORK}/build_c/config.json)
expect_count_of(${WORK}/build_c/word_count_c ${config})
run(pkg-config --cflags jobring-handler OUT flags)
separate_arguments(flags UNIX_COMMAND "${flags}")
run(${CC} ${more} -shared -fPIC ${SOURCE}/examples/package_c/words.c ${flags} -o ${WORK}/words_c.so)
file(REMOVE ${WORK}/build_c/words_c.so)
file(RENAME ${WORK}/words_c.so ${WORK}/build_c/words_c.so)
foreach(package jobring jobring-c)
  run(pkg-config --cflags --libs ${package} OUT flags)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run(${CC} ${more} ${SOURCE}/examples/package_c/word_count.c -o ${WORK}/${package} ${flags})
endforeach()
expect_count_of(${WORK}/jobring ${config})
set(ENV{LD_LIBRARY_PATH} ${root}/${LIBDIR})
expect_count_of(${WORK}/jobring-c ${config})

file(REMOVE_RECURSE ${WORK})
